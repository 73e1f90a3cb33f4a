-- By whom each row of the log was written: whoever opens the journal to write has an origin of its own, drawn at
-- random. So a number of a row, with the origin of that row, is of this log alone: in a journal that was put back
-- from a copy the same number has another origin. Rows from before this table have none.

CREATE TABLE opening (
  behind INTEGER PRIMARY KEY,               -- the last row that had been written; its own rows are behind it
  origin TEXT NOT NULL
) STRICT;

CREATE TRIGGER opening_keeps_rows BEFORE DELETE ON opening
WHEN EXISTS (SELECT 1 FROM log WHERE id > OLD.behind)
BEGIN SELECT raise(ABORT, 'openings of the log are append-only'); END;
CREATE TRIGGER opening_keeps_values BEFORE UPDATE ON opening
BEGIN SELECT raise(ABORT, 'openings of the log are append-only'); END;
