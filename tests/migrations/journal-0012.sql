-- A journal as schema version 12 wrote it: one start, two records, an event, a kept report, an act, a roster of one
-- meter, a cursor, a checkpoint and a poisoned row. Never edited.
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
CREATE TABLE event (
  log_id INTEGER PRIMARY KEY REFERENCES log (id),
  meter TEXT NOT NULL,
  key TEXT NOT NULL,
  kind TEXT NOT NULL,
  occurred_at INTEGER,
  ended_at INTEGER,
  taken_at INTEGER NOT NULL,
  route TEXT NOT NULL,
  source TEXT NOT NULL
) STRICT;
CREATE TABLE event_value (
  log_id INTEGER NOT NULL REFERENCES event (log_id),
  n INTEGER NOT NULL,
  item TEXT NOT NULL,
  type TEXT NOT NULL CHECK (type IN ('number', 'time', 'text')),
  content TEXT NOT NULL,
  unit TEXT NOT NULL,
  PRIMARY KEY (log_id, n)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX event_by_key ON event (meter, key);
CREATE TRIGGER event_keeps_rows BEFORE DELETE ON event
BEGIN SELECT raise(ABORT, 'events are append-only'); END;
CREATE TRIGGER event_keeps_values BEFORE UPDATE ON event
BEGIN SELECT raise(ABORT, 'events are append-only'); END;
CREATE TRIGGER event_value_keeps_rows BEFORE DELETE ON event_value
BEGIN SELECT raise(ABORT, 'events are append-only'); END;
CREATE TRIGGER event_value_keeps_values BEFORE UPDATE ON event_value
BEGIN SELECT raise(ABORT, 'events are append-only'); END;
CREATE TABLE report (
  key TEXT PRIMARY KEY,
  kept_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Acts: orders, evidence, approvals, work items, alarms. One row of the log each (kind 'act'), chained by hashes.

CREATE TABLE act (
  log_id INTEGER PRIMARY KEY REFERENCES log (id),
  number INTEGER NOT NULL UNIQUE,           -- place in the chain, from 1, without gaps
  topic TEXT NOT NULL,
  subject TEXT NOT NULL,
  step INTEGER NOT NULL,                    -- 1, 2, 3 ... within the subject
  verb TEXT NOT NULL,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  meter TEXT NOT NULL,
  body TEXT NOT NULL,                       -- canonical JSON
  is_open INTEGER NOT NULL,
  hash TEXT NOT NULL                        -- over this act, its number and the hash before it
) STRICT;

CREATE UNIQUE INDEX act_by_subject ON act (topic, subject, step);
CREATE INDEX act_by_verb ON act (topic, verb, at);
CREATE INDEX act_by_meter ON act (meter, topic, number);

CREATE TRIGGER act_keeps_rows BEFORE DELETE ON act
BEGIN SELECT raise(ABORT, 'acts are append-only'); END;
CREATE TRIGGER act_keeps_values BEFORE UPDATE ON act
BEGIN SELECT raise(ABORT, 'acts are append-only'); END;

-- State: the last step of each subject, so that the open ones are found without reading all.

CREATE TABLE subject (
  topic TEXT NOT NULL,
  id TEXT NOT NULL,
  meter TEXT NOT NULL,
  step INTEGER NOT NULL,
  is_open INTEGER NOT NULL,
  PRIMARY KEY (topic, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX subject_open ON subject (topic, id) WHERE is_open;

-- Signed places of the chain: whoever has one can tell that nothing before it was changed or cut off.

CREATE TABLE checkpoint (
  number INTEGER PRIMARY KEY,               -- of the act that it stands behind
  at INTEGER NOT NULL,
  hash TEXT NOT NULL,
  key TEXT NOT NULL,                        -- public key, hexadecimal
  signature TEXT NOT NULL                   -- hexadecimal
) STRICT;

CREATE TRIGGER checkpoint_keeps_rows BEFORE DELETE ON checkpoint
BEGIN SELECT raise(ABORT, 'checkpoints are append-only'); END;
CREATE TRIGGER checkpoint_keeps_values BEFORE UPDATE ON checkpoint
BEGIN SELECT raise(ABORT, 'checkpoints are append-only'); END;
-- The roster: which meters there are. State, and beside it every change of it, which is only ever appended.
-- Who made a revision and when is an act of the chain (topic 'roster', subject 'roster', step = revision).

CREATE TABLE roster (
  id TEXT PRIMARY KEY,
  entry TEXT NOT NULL                       -- canonical JSON: what was told of the meter
) STRICT, WITHOUT ROWID;

CREATE TABLE roster_change (
  revision INTEGER NOT NULL,
  n INTEGER NOT NULL,                       -- position in the revision
  meter TEXT NOT NULL,
  old TEXT,                                 -- canonical JSON of the fields that changed; NULL: it was not there
  new TEXT NOT NULL,                        -- canonical JSON of the fields that changed
  PRIMARY KEY (revision, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX roster_change_by_meter ON roster_change (meter, revision, n);

CREATE TRIGGER roster_change_keeps_rows BEFORE DELETE ON roster_change
BEGIN SELECT raise(ABORT, 'the history of the roster is append-only'); END;
CREATE TRIGGER roster_change_keeps_values BEFORE UPDATE ON roster_change
BEGIN SELECT raise(ABORT, 'the history of the roster is append-only'); END;
-- The ledger: a row for each slot that was due, where it stands and why. State, not log: rows change in place.
-- Times here are whole seconds since 1970-01-01 UTC: slots are no finer, and there are a million a day.
-- Words for the numbers of state and reason: meterlink.model.slot.

CREATE TABLE series (
  number INTEGER PRIMARY KEY,
  meter TEXT NOT NULL,
  data_class TEXT NOT NULL,
  every_s INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX series_by_key ON series (meter, data_class, every_s);

CREATE TABLE slot (
  series INTEGER NOT NULL,
  at INTEGER NOT NULL,
  state INTEGER NOT NULL,
  reason INTEGER NOT NULL,
  tries INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  changed_at INTEGER,
  note TEXT,
  PRIMARY KEY (series, at)
) STRICT, WITHOUT ROWID;

CREATE INDEX slot_open ON slot (series, due_at) WHERE state = 0;

-- Slots of values that no meter remembers, when nobody was there to ask for them: one row for all of them.

CREATE TABLE gap (
  series INTEGER NOT NULL,
  from_at INTEGER NOT NULL,
  until_at INTEGER NOT NULL,
  reason INTEGER NOT NULL,
  note TEXT,
  PRIMARY KEY (series, from_at)
) STRICT, WITHOUT ROWID;

-- Days of kept slots that have been folded into one row, because their readings stand in the log.

CREATE TABLE slot_day (
  series INTEGER NOT NULL,
  from_at INTEGER NOT NULL,
  kept INTEGER NOT NULL,
  on_time INTEGER NOT NULL,
  PRIMARY KEY (series, from_at)
) STRICT, WITHOUT ROWID;

-- Until when each start of the daemon is known to have lived.

CREATE TABLE life (
  boot INTEGER PRIMARY KEY,
  alive_at INTEGER NOT NULL
) STRICT;
INSERT INTO boot VALUES (1, 1795305600000000);
INSERT INTO log VALUES (1, 1, 'reading', 1795305601250000, '表1', 'instant', 1795305601000000);
INSERT INTO log VALUES (2, 1, 'reading', 1795305602250000, '表1', 'instant', 1795305602000000);
INSERT INTO reading VALUES (1, 0, '表1', 'voltage.a', '230.10', 'V', 1795305601000000, 1795305601200000, 0, 'line1');
INSERT INTO reading VALUES (1, 1, '表1', 'voltage.b', NULL, 'V', 1795305601000000, 1795305601200000, 2, 'line1');
INSERT INTO reading VALUES (2, 0, '表1', 'voltage.a', '230.20', 'V', 1795305602000000, 1795305602200000, 0, 'line1');
INSERT INTO log VALUES (3, 1, 'event', 1795316405250000, '表1', 'event', 1795316400000000);
INSERT INTO event VALUES (3, '表1', '3b751b647557bcb7e249dabc13733328', 'power_down', 1795316400000000, NULL, 1795316405250000, 'terminal 000000000161', 'dlt698.45 30110200');
INSERT INTO event_value VALUES (3, 0, 'voltage.a@start', 'number', '230.10', 'V');
INSERT INTO event_value VALUES (3, 1, 'clock_before', 'time', '1795316397000000', '');
INSERT INTO event_value VALUES (3, 2, 'event_source', 'text', 'enum:0', '');
INSERT INTO report VALUES ('5f2b9d1c', 1795316405250000);
INSERT INTO sink VALUES ('mqtt', 1);
INSERT INTO poison VALUES ('mqtt', 1, 'too large', 1795305603000000);
INSERT INTO log VALUES (4, 1, 'act', 1795316400250000, '表1', 'order', 1795316400000000);
INSERT INTO act VALUES (4, 1, 'order', 'o-1', 1, 'create', 1795316400000000, '李雷', '表1', '{"kind":"trip","reason":"\u6b20\u8d39"}', 1, '8af970592394888a4593f8e8612e3c2ea9004c06abb2751c1cf54af0d423bdb0');
INSERT INTO subject VALUES ('order', 'o-1', '表1', 1, 1);
INSERT INTO checkpoint VALUES (1, 1795316401000000, '8af970592394888a4593f8e8612e3c2ea9004c06abb2751c1cf54af0d423bdb0', 'abababababababababababababababababababababababababababababababab', 'cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd');
INSERT INTO log VALUES (5, 1, 'act', 1795320000250000, '', 'roster', 1795320000000000);
INSERT INTO act VALUES (5, 2, 'roster', 'roster', 1, 'import', 1795320000000000, 'meterlink', '', '{"added":1,"digest":"7ac5f7564cb8cfe41335f5602ab3f31c881da66a52272fd93ee197c4c88f8b99"}', 0, '6a1be574d9df60f2eca977e79ba1f5613a83eef30e1ade080a6374f19bad251d');
INSERT INTO subject VALUES ('roster', 'roster', '', 1, 0);
INSERT INTO roster VALUES ('表1', '{"address":"000000000161","customer":"\u674e\u96f7","id":"\u88681","line":"line1"}');
INSERT INTO roster_change VALUES (1, 0, '表1', NULL, '{"address":"000000000161","customer":"\u674e\u96f7","id":"\u88681","line":"line1"}');
INSERT INTO series VALUES (1, '表1', 'daily_freeze', 86400);
INSERT INTO slot VALUES (1, 1795276800, 1, 0, 1, 1795277100, 1795305601, NULL);
INSERT INTO slot VALUES (1, 1795363200, 0, 1, 2, 1795363500, 1795364400, NULL);
INSERT INTO life VALUES (1, 1795316400);
-- Retention and shedding: what may be taken out of the log, said here so that no program can take out more.
-- Who removes rows lists them in `removing` first, in the same transaction, and empties it at its end. A row is
-- taken on the list only if the rules allow it, and only a row on the list can be deleted.

CREATE TABLE removing (
  log_id INTEGER PRIMARY KEY,
  reason TEXT NOT NULL CHECK (reason IN ('age', 'room'))
) STRICT;

-- By age: readings but freezes, and events, once every sink has them. For room: what is read again and again,
-- whoever has it. Never the newest row: the end of the log says that nothing was cut off.
CREATE TRIGGER removing_keeps_what_counts BEFORE INSERT ON removing
WHEN NOT EXISTS (
  SELECT 1 FROM log WHERE id = NEW.log_id AND id < (SELECT max(id) FROM log) AND CASE NEW.reason
    WHEN 'age' THEN
      (kind = 'reading' AND data_class IN ('instant', 'curve', 'status') OR kind = 'event')
      AND id <= coalesce((SELECT min(last_id) FROM sink), 0)
    ELSE kind = 'reading' AND data_class IN ('instant', 'curve')
  END)
BEGIN SELECT raise(ABORT, 'this row of the log is kept'); END;

DROP TRIGGER log_keeps_rows;
DROP TRIGGER reading_keeps_rows;
DROP TRIGGER event_keeps_rows;
DROP TRIGGER event_value_keeps_rows;

CREATE TRIGGER log_keeps_rows BEFORE DELETE ON log
WHEN NOT EXISTS (SELECT 1 FROM removing WHERE log_id = OLD.id)
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
CREATE TRIGGER reading_keeps_rows BEFORE DELETE ON reading
WHEN NOT EXISTS (SELECT 1 FROM removing WHERE log_id = OLD.log_id)
BEGIN SELECT raise(ABORT, 'readings are append-only'); END;
CREATE TRIGGER event_keeps_rows BEFORE DELETE ON event
WHEN NOT EXISTS (SELECT 1 FROM removing WHERE log_id = OLD.log_id)
BEGIN SELECT raise(ABORT, 'events are append-only'); END;
CREATE TRIGGER event_value_keeps_rows BEFORE DELETE ON event_value
WHEN NOT EXISTS (SELECT 1 FROM removing WHERE log_id = OLD.log_id)
BEGIN SELECT raise(ABORT, 'events are append-only'); END;

-- What was taken out, in numbers: rows that are there and rows that are counted here are all that were given.

CREATE TABLE removed (
  data_class TEXT NOT NULL,
  reason TEXT NOT NULL,
  rows INTEGER NOT NULL,
  last_slot INTEGER NOT NULL,               -- newest slot among them
  last_at INTEGER NOT NULL,                 -- when it was done last
  PRIMARY KEY (data_class, reason)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER removed_keeps_rows BEFORE DELETE ON removed
BEGIN SELECT raise(ABORT, 'what was removed stays counted'); END;
CREATE TRIGGER removed_only_grows BEFORE UPDATE ON removed WHEN NEW.rows < OLD.rows
BEGIN SELECT raise(ABORT, 'what was removed stays counted'); END;

CREATE INDEX log_freezes_kept ON log (data_class, id)
WHERE data_class IN ('daily_freeze', 'monthly_freeze');
CREATE TABLE belief (
  boot INTEGER PRIMARY KEY,
  believed_at INTEGER NOT NULL
) STRICT;
INSERT INTO belief VALUES (1, 1795314605);
CREATE TABLE opening (
  behind INTEGER PRIMARY KEY,               -- the last row that had been written; its own rows are behind it
  origin TEXT NOT NULL
) STRICT;
INSERT INTO opening VALUES (0, '0f1e2d3c4b5a6978');
CREATE TRIGGER opening_keeps_rows BEFORE DELETE ON opening
WHEN EXISTS (SELECT 1 FROM log WHERE id > OLD.behind)
BEGIN SELECT raise(ABORT, 'openings of the log are append-only'); END;
CREATE TRIGGER opening_keeps_values BEFORE UPDATE ON opening
BEGIN SELECT raise(ABORT, 'openings of the log are append-only'); END;
-- The freezes of one meter in the order of their nights: a new one is judged by those of a month.
-- Of freezes alone: values of the moment are many, and found by their own key.

CREATE INDEX log_freezes ON log (meter, data_class, slot)
WHERE data_class IN ('daily_freeze', 'monthly_freeze');
CREATE INDEX event_by_beginning ON event (meter, kind, occurred_at);


CREATE TABLE event_mark (
  meter TEXT NOT NULL,
  kind TEXT NOT NULL,
  device TEXT NOT NULL,
  counted INTEGER NOT NULL,
  lasting INTEGER,
  seen_at INTEGER NOT NULL,
  PRIMARY KEY (meter, kind)
) STRICT, WITHOUT ROWID;
INSERT INTO event_mark VALUES ('表1', 'power_down', '000000000161', 1, 1, 1795316405250000);
CREATE TABLE asked (
  series INTEGER PRIMARY KEY,
  items TEXT NOT NULL,
  ended_at INTEGER
) STRICT;
INSERT INTO asked VALUES (1, '["forward_active_energy"]', NULL);
PRAGMA application_id = 1296845361;
PRAGMA user_version = 12;
PRAGMA journal_mode = WAL;
