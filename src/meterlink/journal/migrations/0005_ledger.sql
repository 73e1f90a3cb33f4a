-- The ledger: a row for each slot that was due, where it stands and why. State, not log: rows change in place.
-- Times here are whole seconds since 1970-01-01 UTC: slots are no finer, and there are a million a day.
-- Words for the numbers of state and reason: meterlink.model.slot.

CREATE TABLE series (
  number INTEGER PRIMARY KEY,
  meter TEXT NOT NULL,
  data_class TEXT NOT NULL,
  every_s INTEGER NOT NULL                  -- 0: by the calendar of the meter's settlements
) STRICT;

CREATE UNIQUE INDEX series_by_key ON series (meter, data_class, every_s);

CREATE TABLE slot (
  series INTEGER NOT NULL,                  -- series.number; checked by who writes, a million times a day
  at INTEGER NOT NULL,
  state INTEGER NOT NULL,                   -- 0 due, 1 kept, 2 refused, 3 expired, 4 waived
  reason INTEGER NOT NULL,
  tries INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  changed_at INTEGER,                       -- last try, or when it was settled
  note TEXT,
  PRIMARY KEY (series, at)
) STRICT, WITHOUT ROWID;

CREATE INDEX slot_open ON slot (series, due_at) WHERE state = 0;

-- Slots of values that no meter remembers, when nobody was there to ask for them: one row for all of them.

CREATE TABLE gap (
  series INTEGER NOT NULL,
  from_at INTEGER NOT NULL,                 -- first slot
  until_at INTEGER NOT NULL,                -- first slot after
  reason INTEGER NOT NULL,
  note TEXT,
  PRIMARY KEY (series, from_at)
) STRICT, WITHOUT ROWID;

-- Days of kept slots that have been folded into one row, because their readings stand in the log.

CREATE TABLE slot_day (
  series INTEGER NOT NULL,
  from_at INTEGER NOT NULL,                 -- first instant of the day
  kept INTEGER NOT NULL,
  on_time INTEGER NOT NULL,
  PRIMARY KEY (series, from_at)
) STRICT, WITHOUT ROWID;

-- Until when each start of the daemon is known to have lived.

CREATE TABLE life (
  boot INTEGER PRIMARY KEY,
  alive_at INTEGER NOT NULL
) STRICT;
