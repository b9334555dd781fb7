-- When an unsigned callback last made the record due.
alter table {s}.scriptix_record add column hinted timestamptz;
