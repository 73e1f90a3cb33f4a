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
