-- By which time rows aged when each start of the daemon was last seen alive: the wall clock, or less while that had
-- been far ahead for no more than a day. A start goes on from it, so that a clock which is still wrong then takes
-- nothing out. Starts from before this table have none.

CREATE TABLE belief (
  boot INTEGER PRIMARY KEY,
  believed_at INTEGER NOT NULL
) STRICT;
