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
