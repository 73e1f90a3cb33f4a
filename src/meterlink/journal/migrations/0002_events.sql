-- Events: one row of the log each (kind 'event'), with its values beside it; only ever appended to.

CREATE TABLE event (
  log_id INTEGER PRIMARY KEY REFERENCES log (id),
  meter TEXT NOT NULL,                      -- as in log; here so that one index finds an event by its key
  key TEXT NOT NULL,                        -- the same event, told again, has the same one
  kind TEXT NOT NULL,
  occurred_at INTEGER,                      -- NULL: the device did not say
  ended_at INTEGER,                         -- NULL: not over, or the device did not say
  taken_at INTEGER NOT NULL,
  route TEXT NOT NULL,
  source TEXT NOT NULL
) STRICT;

CREATE TABLE event_value (
  log_id INTEGER NOT NULL REFERENCES event (log_id),
  n INTEGER NOT NULL,                       -- position in the event
  item TEXT NOT NULL,
  type TEXT NOT NULL CHECK (type IN ('number', 'time', 'text')),
  content TEXT NOT NULL,                    -- digits; microseconds since 1970-01-01 UTC; text
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

-- State: reports kept lately, so that one which is told again is acknowledged and not kept twice.

CREATE TABLE report (
  key TEXT PRIMARY KEY,
  kept_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
