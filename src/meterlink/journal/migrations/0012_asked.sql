-- What plans ask for of a series: when it is asked for other items, or not any more, its open slots are settled, and
-- when it is asked for again they are as they were. Series of which nobody has asked since this table came have no row.

CREATE TABLE asked (
  series INTEGER PRIMARY KEY,               -- series.number
  items TEXT NOT NULL,                      -- JSON, in order
  ended_at INTEGER                          -- seconds; since when no plan asks for it; NULL: one does
) STRICT;
