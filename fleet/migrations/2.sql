-- Outcomes in whose place a later one of the same record has come. The latest
-- one stands in the record; both are in one order of numbers.
create table {s}.scriptix_outcome (
	account text collate "C" not null,
	n       bigint not null,
	key     text collate "C" not null,
	phase   text collate "C" not null,
	job_id  text collate "C",
	rec     jsonb not null, -- of the record as it was
	primary key (account, n),
	foreign key (account, key) references {s}.scriptix_record (account, key) on delete cascade
);

create index scriptix_outcome_key on {s}.scriptix_outcome (account, key);
