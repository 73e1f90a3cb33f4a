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
