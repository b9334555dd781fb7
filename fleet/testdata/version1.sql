CREATE SCHEMA scriptix;
CREATE TYPE scriptix.river_job_state AS ENUM (
    'available',
    'cancelled',
    'completed',
    'discarded',
    'pending',
    'retryable',
    'running',
    'scheduled'
);
CREATE FUNCTION scriptix.river_job_state_in_bitmask(bitmask bit, state scriptix.river_job_state) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE state
        WHEN 'available' THEN get_bit(bitmask, 7)
        WHEN 'cancelled' THEN get_bit(bitmask, 6)
        WHEN 'completed' THEN get_bit(bitmask, 5)
        WHEN 'discarded' THEN get_bit(bitmask, 4)
        WHEN 'pending'   THEN get_bit(bitmask, 3)
        WHEN 'retryable' THEN get_bit(bitmask, 2)
        WHEN 'running'   THEN get_bit(bitmask, 1)
        WHEN 'scheduled' THEN get_bit(bitmask, 0)
        ELSE 0
    END = 1;
$$;
CREATE TABLE scriptix.river_job (
    id bigint NOT NULL,
    state scriptix.river_job_state DEFAULT 'available'::scriptix.river_job_state NOT NULL,
    attempt smallint DEFAULT 0 NOT NULL,
    max_attempts smallint DEFAULT 25 NOT NULL,
    attempted_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    finalized_at timestamp with time zone,
    scheduled_at timestamp with time zone DEFAULT now() NOT NULL,
    priority smallint DEFAULT 1 NOT NULL,
    args jsonb NOT NULL,
    attempted_by text[],
    errors jsonb[],
    kind text NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    queue text DEFAULT 'default'::text NOT NULL,
    tags character varying(255)[] DEFAULT '{}'::character varying[] NOT NULL,
    unique_key bytea,
    unique_states bit(8),
    CONSTRAINT finalized_or_finalized_at_null CHECK ((((finalized_at IS NULL) AND (state <> ALL (ARRAY['cancelled'::scriptix.river_job_state, 'completed'::scriptix.river_job_state, 'discarded'::scriptix.river_job_state]))) OR ((finalized_at IS NOT NULL) AND (state = ANY (ARRAY['cancelled'::scriptix.river_job_state, 'completed'::scriptix.river_job_state, 'discarded'::scriptix.river_job_state]))))),
    CONSTRAINT kind_length CHECK (((char_length(kind) > 0) AND (char_length(kind) < 128))),
    CONSTRAINT max_attempts_is_positive CHECK ((max_attempts > 0)),
    CONSTRAINT priority_in_range CHECK (((priority >= 1) AND (priority <= 4))),
    CONSTRAINT queue_length CHECK (((char_length(queue) > 0) AND (char_length(queue) < 128)))
);
CREATE SEQUENCE scriptix.river_job_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE scriptix.river_job_id_seq OWNED BY scriptix.river_job.id;
CREATE UNLOGGED TABLE scriptix.river_leader (
    elected_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    leader_id text NOT NULL,
    name text DEFAULT 'default'::text NOT NULL,
    CONSTRAINT leader_id_length CHECK (((char_length(leader_id) > 0) AND (char_length(leader_id) < 128))),
    CONSTRAINT name_length CHECK ((name = 'default'::text))
);
CREATE TABLE scriptix.river_migration (
    line text NOT NULL,
    version bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT line_length CHECK (((char_length(line) > 0) AND (char_length(line) < 128))),
    CONSTRAINT version_gte_1 CHECK ((version >= 1))
);
CREATE TABLE scriptix.river_notification (
    id bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    payload text NOT NULL,
    topic text NOT NULL,
    CONSTRAINT topic_length CHECK (((length(topic) > 0) AND (length(topic) < 128)))
);
CREATE SEQUENCE scriptix.river_notification_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE scriptix.river_notification_id_seq OWNED BY scriptix.river_notification.id;
CREATE TABLE scriptix.river_queue (
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    paused_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE TABLE scriptix.scriptix_budget (
    account text NOT NULL COLLATE pg_catalog."C",
    limits jsonb NOT NULL,
    state bytea NOT NULL
)
WITH (fillfactor='10');
CREATE TABLE scriptix.scriptix_counter (
    account text NOT NULL COLLATE pg_catalog."C",
    n bigint NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE scriptix.scriptix_lease (
    name text NOT NULL COLLATE pg_catalog."C",
    owner text NOT NULL COLLATE pg_catalog."C",
    until timestamp with time zone NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE scriptix.scriptix_parked (
    id bigint NOT NULL,
    account text NOT NULL COLLATE pg_catalog."C",
    job_id text NOT NULL COLLATE pg_catalog."C",
    event jsonb NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
ALTER TABLE scriptix.scriptix_parked ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME scriptix.scriptix_parked_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE scriptix.scriptix_process (
    id text NOT NULL COLLATE pg_catalog."C",
    until timestamp with time zone NOT NULL,
    info jsonb NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE scriptix.scriptix_record (
    account text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    rev bigint NOT NULL,
    phase text NOT NULL COLLATE pg_catalog."C",
    token text NOT NULL COLLATE pg_catalog."C",
    job_id text COLLATE pg_catalog."C",
    owner text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    due timestamp with time zone,
    tries integer DEFAULT 0 NOT NULL,
    rec jsonb NOT NULL,
    source text DEFAULT ''::text NOT NULL,
    params jsonb,
    meta jsonb,
    outcome bigint,
    stored timestamp with time zone,
    changed timestamp with time zone DEFAULT clock_timestamp() NOT NULL
)
WITH (fillfactor='80');
CREATE TABLE scriptix.scriptix_transcript (
    account text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    body bytea NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
ALTER TABLE ONLY scriptix.scriptix_transcript ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE scriptix.scriptix_version (
    version integer NOT NULL
);
ALTER TABLE ONLY scriptix.river_job ALTER COLUMN id SET DEFAULT nextval('scriptix.river_job_id_seq'::regclass);
ALTER TABLE ONLY scriptix.river_notification ALTER COLUMN id SET DEFAULT nextval('scriptix.river_notification_id_seq'::regclass);
INSERT INTO scriptix.river_migration VALUES ('main', 1, '2026-11-26 21:56:12.415124+00');
INSERT INTO scriptix.river_migration VALUES ('main', 2, '2026-11-26 21:56:12.427712+00');
INSERT INTO scriptix.river_migration VALUES ('main', 3, '2026-11-26 21:56:12.442901+00');
INSERT INTO scriptix.river_migration VALUES ('main', 4, '2026-11-26 21:56:12.443791+00');
INSERT INTO scriptix.river_migration VALUES ('main', 5, '2026-11-26 21:56:12.447308+00');
INSERT INTO scriptix.river_migration VALUES ('main', 6, '2026-11-26 21:56:12.458453+00');
INSERT INTO scriptix.river_migration VALUES ('main', 7, '2026-11-26 21:56:12.460177+00');
INSERT INTO scriptix.river_migration VALUES ('main', 8, '2026-11-26 21:56:12.464994+00');
INSERT INTO scriptix.scriptix_budget VALUES ('default', '{"PerDay": 0, "PerHour": 0, "PerMinute": 60, "Concurrent": 10}', '\x01b2d6efcea134040000000104a2aadf9dc3680103bf020301a2aadf9dc36800a1010401a2aadf9dc36800a10104000000000000000000000000000004000000000000');
INSERT INTO scriptix.scriptix_counter VALUES ('default', 4);
INSERT INTO scriptix.scriptix_record VALUES ('default', 'later.wav', 1, 'claimed', '3d68026ded9c801ee1aaa563d3bf22a8', NULL, '', '2126-11-02 21:56:12.529917+00', 0, '{"key": "", "name": "later.wav", "phase": "", "revision": 0, "claimed_at": "2026-11-26T21:56:12.534Z"}', 'file:later.wav', '{"Extra": null, "Model": "", "Language": "en", "GlossaryID": 0, "Timestamps": "", "WebhookURL": "", "Diarization": false}', NULL, NULL, NULL, '2026-11-26 21:56:12.537675+00');
INSERT INTO scriptix.scriptix_record VALUES ('default', 'missing.wav', 4, 'rejected', '814cd69f890dd5fed021dcf55f958dd0', NULL, '', NULL, 0, '{"key": "", "name": "missing.wav", "phase": "", "failure": "the source \"file:missing.wav\" is refused: there is no such file", "revision": 0, "claimed_at": "2026-11-26T21:56:12.534Z"}', 'file:missing.wav', '{"Extra": null, "Model": "", "Language": "en", "GlossaryID": 0, "Timestamps": "", "WebhookURL": "", "Diarization": false}', NULL, 1, NULL, '2026-11-26 21:56:12.55326+00');
INSERT INTO scriptix.scriptix_record VALUES ('default', 'call-0.wav', 8, 'done', '49a9d8fd52025b9468b08b9629c0cfe8', 'stt_d08498000002', '', NULL, 0, '{"key": "", "name": "call-0.wav", "phase": "", "source": "webhook", "sent_at": "2026-11-26T21:56:12.561Z", "attempts": 1, "ended_at": "2026-11-26T21:56:12.711Z", "revision": 0, "claimed_at": "2026-11-26T21:56:12.534Z", "duration_ns": 1000000000, "submitted_at": "2026-11-26T21:56:12.562Z"}', 'file:call-0.wav', '{"Extra": null, "Model": "", "Language": "en", "GlossaryID": 0, "Timestamps": "", "WebhookURL": "", "Diarization": false}', '{"number": 0}', 2, '2026-11-26 21:56:12.720686+00', '2026-11-26 21:56:12.720686+00');
INSERT INTO scriptix.scriptix_record VALUES ('default', 'call-1.wav', 8, 'failed', '8755f73f884fc2e5330fade444a798b5', 'stt_d08498000001', '', NULL, 0, '{"key": "", "name": "call-1.wav", "phase": "", "source": "poll", "failure": "no speech", "sent_at": "2026-11-26T21:56:12.556Z", "attempts": 1, "ended_at": "2026-11-26T21:56:12.72Z", "revision": 0, "claimed_at": "2026-11-26T21:56:12.534Z", "duration_ns": 1000000000, "submitted_at": "2026-11-26T21:56:12.558Z"}', 'file:call-1.wav', '{"Extra": null, "Model": "", "Language": "en", "GlossaryID": 0, "Timestamps": "", "WebhookURL": "", "Diarization": false}', '{"number": 1}', 3, NULL, '2026-11-26 21:56:12.721142+00');
INSERT INTO scriptix.scriptix_record VALUES ('default', 'unknown.wav', 4, 'unknown', 'token of unknown.wav', NULL, '', NULL, 0, '{"key": "", "name": "unknown.wav", "phase": "", "failure": "the answer was lost", "sent_at": "2026-11-26T21:56:12.73Z", "attempts": 1, "revision": 0, "claimed_at": "2026-11-26T21:56:12.730167917Z"}', 'file:unknown.wav', '{"Language": "en"}', '{"number": 9}', 4, NULL, '2026-11-26 21:56:12.731461+00');
INSERT INTO scriptix.scriptix_transcript VALUES ('default', 'call-0.wav', '\x1f8b08040000000000ff10007374745f643038343938303030303032bccf414ef3301404e0ab3ccddaff2fa7ca2298159780455b45c67e4d2d5c3bf27b09a0aa7747167760d633d23777a40807519da39dc6a7c9f61c60106bd86e5c74ee85c1da8381a8d74de010ea6dcdac1c61907d5936bf301cb8f4ddd6bca65a66e1504b14b8c1409b2f125a5a150ec735fbc0d79a2337477a65baf80f26e1b6a7c0142b0b95aa94932897674a4a8d03a79d239d107cceffecff4fbf9f6068b2e348efdfca626810aa177a7b7925bfc554cf30105efa07813bde3bbf299c35e0127f59fcf5a7a0c7f9f1130000ffffe282465971010000', '2026-11-26 21:56:12.720211+00');
INSERT INTO scriptix.scriptix_version VALUES (1);
SELECT pg_catalog.setval('scriptix.river_job_id_seq', 5, true);
SELECT pg_catalog.setval('scriptix.river_notification_id_seq', 1, false);
SELECT pg_catalog.setval('scriptix.scriptix_parked_id_seq', 1, false);
ALTER TABLE ONLY scriptix.river_job
    ADD CONSTRAINT river_job_pkey PRIMARY KEY (id);
ALTER TABLE ONLY scriptix.river_leader
    ADD CONSTRAINT river_leader_pkey PRIMARY KEY (name);
ALTER TABLE ONLY scriptix.river_migration
    ADD CONSTRAINT river_migration_pkey1 PRIMARY KEY (line, version);
ALTER TABLE ONLY scriptix.river_notification
    ADD CONSTRAINT river_notification_pkey PRIMARY KEY (id);
ALTER TABLE ONLY scriptix.river_queue
    ADD CONSTRAINT river_queue_pkey PRIMARY KEY (name);
ALTER TABLE ONLY scriptix.scriptix_budget
    ADD CONSTRAINT scriptix_budget_pkey PRIMARY KEY (account);
ALTER TABLE ONLY scriptix.scriptix_counter
    ADD CONSTRAINT scriptix_counter_pkey PRIMARY KEY (account);
ALTER TABLE ONLY scriptix.scriptix_lease
    ADD CONSTRAINT scriptix_lease_pkey PRIMARY KEY (name);
ALTER TABLE ONLY scriptix.scriptix_parked
    ADD CONSTRAINT scriptix_parked_pkey PRIMARY KEY (id);
ALTER TABLE ONLY scriptix.scriptix_process
    ADD CONSTRAINT scriptix_process_pkey PRIMARY KEY (id);
ALTER TABLE ONLY scriptix.scriptix_record
    ADD CONSTRAINT scriptix_record_account_job_id_key UNIQUE (account, job_id);
ALTER TABLE ONLY scriptix.scriptix_record
    ADD CONSTRAINT scriptix_record_pkey PRIMARY KEY (account, key);
ALTER TABLE ONLY scriptix.scriptix_record
    ADD CONSTRAINT scriptix_record_token_key UNIQUE (token);
ALTER TABLE ONLY scriptix.scriptix_transcript
    ADD CONSTRAINT scriptix_transcript_pkey PRIMARY KEY (account, key);
CREATE INDEX river_job_args_index ON scriptix.river_job USING gin (args);
CREATE INDEX river_job_kind ON scriptix.river_job USING btree (kind);
CREATE INDEX river_job_metadata_index ON scriptix.river_job USING gin (metadata);
CREATE INDEX river_job_prioritized_fetching_index ON scriptix.river_job USING btree (state, queue, priority, scheduled_at, id);
CREATE INDEX river_job_state_and_finalized_at_index ON scriptix.river_job USING btree (state, finalized_at) WHERE (finalized_at IS NOT NULL);
CREATE UNIQUE INDEX river_job_unique_idx ON scriptix.river_job USING btree (unique_key) WHERE ((unique_key IS NOT NULL) AND (unique_states IS NOT NULL) AND scriptix.river_job_state_in_bitmask(unique_states, state));
CREATE INDEX river_notification_created_at_idx ON scriptix.river_notification USING btree (created_at);
CREATE INDEX river_notification_topic_id_idx ON scriptix.river_notification USING btree (topic, id);
CREATE INDEX scriptix_parked_at ON scriptix.scriptix_parked USING btree (account, at);
CREATE INDEX scriptix_parked_job ON scriptix.scriptix_parked USING btree (account, job_id, id);
CREATE INDEX scriptix_record_claimed ON scriptix.scriptix_record USING btree (account, due, key) WHERE ((due IS NOT NULL) AND (phase = 'claimed'::text));
CREATE INDEX scriptix_record_due ON scriptix.scriptix_record USING btree (account, due, key) WHERE (due IS NOT NULL);
CREATE INDEX scriptix_record_follow ON scriptix.scriptix_record USING btree (account, due, key) WHERE ((due IS NOT NULL) AND (phase <> 'claimed'::text));
CREATE INDEX scriptix_record_outcome ON scriptix.scriptix_record USING btree (account, outcome) WHERE (outcome IS NOT NULL);
CREATE INDEX scriptix_record_owner ON scriptix.scriptix_record USING btree (owner) WHERE ((phase = ANY (ARRAY['claimed'::text, 'sent'::text])) AND (owner <> ''::text));
CREATE INDEX scriptix_record_phase ON scriptix.scriptix_record USING btree (account, phase);
CREATE INDEX scriptix_record_stored ON scriptix.scriptix_record USING btree (account, stored) WHERE (stored IS NOT NULL);
CREATE INDEX scriptix_record_submitted ON scriptix.scriptix_record USING btree (account, key) WHERE (phase = 'submitted'::text);
