-- Records: one for each recording. "rec" holds what of a record has no column of its own.
create table {s}.scriptix_record (
	account text collate "C" not null,
	key     text collate "C" not null,
	rev     bigint not null,
	phase   text collate "C" not null,
	token   text collate "C" not null unique,
	job_id  text collate "C",
	owner   text collate "C" not null default '',
	due     timestamptz,
	tries   int not null default 0, -- of the step that it is at
	rec     jsonb not null,
	source  text not null default '',
	params  jsonb,
	meta    jsonb,
	outcome bigint,
	stored  timestamptz, -- when the transcript was; null: there is none
	changed timestamptz not null default clock_timestamp(),
	primary key (account, key),
	unique (account, job_id)
) with (fillfactor = 80);

create index scriptix_record_due on {s}.scriptix_record (account, due, key) where due is not null;

-- What is not claimed must not wait behind a backlog that the plan holds back.
create index scriptix_record_follow on {s}.scriptix_record (account, due, key) where due is not null and phase <> 'claimed';

create index scriptix_record_claimed on {s}.scriptix_record (account, due, key) where due is not null and phase = 'claimed';

create index scriptix_record_outcome on {s}.scriptix_record (account, outcome) where outcome is not null;

create index scriptix_record_submitted on {s}.scriptix_record (account, key) where phase = 'submitted';

create index scriptix_record_owner on {s}.scriptix_record (owner) where phase in ('claimed', 'sent') and owner <> '';

-- For the retention of transcripts.
create index scriptix_record_stored on {s}.scriptix_record (account, stored) where stored is not null;

-- For counting: Status reads this and not the table.
create index scriptix_record_phase on {s}.scriptix_record (account, phase);

-- Authentic callbacks about jobs that no record is bound to yet.
create table {s}.scriptix_parked (
	id      bigint generated always as identity primary key,
	account text collate "C" not null,
	job_id  text collate "C" not null,
	event   jsonb not null,
	at      timestamptz not null default clock_timestamp()
);

create index scriptix_parked_job on {s}.scriptix_parked (account, job_id, id);

create index scriptix_parked_at on {s}.scriptix_parked (account, at);

-- Transcripts, compressed with gzip.
create table {s}.scriptix_transcript (
	account text collate "C" not null,
	key     text collate "C" not null,
	body    bytea not null,
	at      timestamptz not null default clock_timestamp(),
	primary key (account, key)
);

alter table {s}.scriptix_transcript alter column body set storage external;

-- The request budget of each key.
create table {s}.scriptix_budget (
	account text collate "C" primary key,
	limits  jsonb not null,
	state   bytea not null
) with (fillfactor = 10);

-- Processes that live: one lease for all that a process holds.
create table {s}.scriptix_process (
	id    text collate "C" primary key,
	until timestamptz not null,
	info  jsonb not null
) with (fillfactor = 50);

-- Roles that one process at a time has, such as an account's leader.
create table {s}.scriptix_lease (
	name  text collate "C" primary key,
	owner text collate "C" not null,
	until timestamptz not null
) with (fillfactor = 50);

-- Numbers the outcomes in the order in which they become visible.
create table {s}.scriptix_counter (
	account text collate "C" primary key,
	n       bigint not null
) with (fillfactor = 50);
