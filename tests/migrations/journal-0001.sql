-- A journal as schema version 1 wrote it: one start, two records, a cursor and a poisoned row. Never edited.
CREATE TABLE boot (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  started_at INTEGER NOT NULL
) STRICT;
CREATE TABLE log (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  boot INTEGER NOT NULL REFERENCES boot (number),
  kind TEXT NOT NULL,
  kept_at INTEGER NOT NULL,
  meter TEXT NOT NULL,
  data_class TEXT NOT NULL,
  slot INTEGER NOT NULL
) STRICT;
CREATE TABLE reading (
  log_id INTEGER NOT NULL REFERENCES log (id),
  n INTEGER NOT NULL,
  meter TEXT NOT NULL,
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
INSERT INTO boot VALUES (1, 1795305600000000);
INSERT INTO log VALUES (1, 1, 'reading', 1795305601250000, '表1', 'instant', 1795305601000000);
INSERT INTO log VALUES (2, 1, 'reading', 1795305602250000, '表1', 'instant', 1795305602000000);
INSERT INTO reading VALUES (1, 0, '表1', 'voltage.a', '230.10', 'V', 1795305601000000, 1795305601200000, 0, 'line1');
INSERT INTO reading VALUES (1, 1, '表1', 'voltage.b', NULL, 'V', 1795305601000000, 1795305601200000, 2, 'line1');
INSERT INTO reading VALUES (2, 0, '表1', 'voltage.a', '230.20', 'V', 1795305602000000, 1795305602200000, 0, 'line1');
INSERT INTO sink VALUES ('mqtt', 1);
INSERT INTO poison VALUES ('mqtt', 1, 'too large', 1795305603000000);
PRAGMA application_id = 1296845361;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
