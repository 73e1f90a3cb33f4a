-- The log: one row a record, one row a reading in it; only ever appended to.
-- Times are whole microseconds since 1970-01-01 UTC; decimals are text, with the digits the meter sent.

CREATE TABLE boot (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  started_at INTEGER NOT NULL
) STRICT;

CREATE TABLE log (
  id INTEGER PRIMARY KEY AUTOINCREMENT,     -- AUTOINCREMENT: an id is never given twice
  boot INTEGER NOT NULL REFERENCES boot (number),
  kind TEXT NOT NULL,
  kept_at INTEGER NOT NULL,
  meter TEXT NOT NULL,
  data_class TEXT NOT NULL,
  slot INTEGER NOT NULL                     -- newest slot among the record's readings
) STRICT;

CREATE TABLE reading (
  log_id INTEGER NOT NULL REFERENCES log (id),
  n INTEGER NOT NULL,                       -- position in the record
  meter TEXT NOT NULL,                      -- as in log; here so that one index finds a reading by its key
  item TEXT NOT NULL,
  value TEXT,
  unit TEXT NOT NULL,
  slot INTEGER NOT NULL,
  taken_at INTEGER NOT NULL,
  marks INTEGER NOT NULL,
  route TEXT NOT NULL,
  PRIMARY KEY (log_id, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX reading_by_key ON reading (meter, item, slot);
CREATE INDEX log_by_slot ON log (data_class, slot);

CREATE TRIGGER log_keeps_rows BEFORE DELETE ON log
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_keeps_values BEFORE UPDATE ON log
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
CREATE TRIGGER reading_keeps_rows BEFORE DELETE ON reading
BEGIN SELECT raise(ABORT, 'readings are append-only'); END;
CREATE TRIGGER reading_keeps_values BEFORE UPDATE ON reading
BEGIN SELECT raise(ABORT, 'readings are append-only'); END;

-- State: how far each sink has followed the log, and what it can never take.

CREATE TABLE sink (
  name TEXT PRIMARY KEY,
  last_id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE poison (
  sink TEXT NOT NULL,
  log_id INTEGER NOT NULL,
  reason TEXT NOT NULL,
  poisoned_at INTEGER NOT NULL,
  PRIMARY KEY (sink, log_id)
) STRICT, WITHOUT ROWID;
