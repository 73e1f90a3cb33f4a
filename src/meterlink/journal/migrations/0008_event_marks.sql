-- Events that meters record: each has an identity (meter, kind, beginning, number), by which it is found again.

CREATE INDEX event_by_beginning ON event (meter, kind, occurred_at);

-- State: up to where the events of each kind were read out of each meter.

CREATE TABLE event_mark (
  meter TEXT NOT NULL,
  kind TEXT NOT NULL,
  device TEXT NOT NULL,                     -- communication address of the meter that counted
  counted INTEGER NOT NULL,                 -- how many events it had counted
  lasting INTEGER,                          -- number of the one that had not ended; NULL: all had
  seen_at INTEGER NOT NULL,
  PRIMARY KEY (meter, kind)
) STRICT, WITHOUT ROWID;
