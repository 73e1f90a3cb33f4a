-- Gaps are looked for from the newest on: without this whatever a meter has ever missed is gone through for one day.

CREATE INDEX gap_by_end ON gap (series, until_at);

-- Before when the ledger holds nothing of a class any more, because it has taken out by age what it knew.

CREATE TABLE forgotten (
  data_class TEXT PRIMARY KEY,
  before_at INTEGER NOT NULL                -- seconds
) STRICT, WITHOUT ROWID;
