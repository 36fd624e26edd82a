-- The embedded state store, one file. Times are milliseconds since the Unix epoch, on the host's clock.
-- A job's key is batches.no * 1048576 + its number in the batch: one integer finds it in every table, and the jobs of
-- a batch lie side by side.

CREATE TABLE IF NOT EXISTS meta (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  format INTEGER NOT NULL,
  store_id TEXT NOT NULL,
  writes INTEGER NOT NULL,
  warehouse_id TEXT,
  last_sweep INTEGER
) STRICT;

CREATE TABLE IF NOT EXISTS batches (
  no INTEGER PRIMARY KEY AUTOINCREMENT,
  batch_id TEXT NOT NULL UNIQUE,
  slate TEXT NOT NULL,
  token TEXT NOT NULL,
  timing TEXT NOT NULL,
  contract_version TEXT NOT NULL,
  pins TEXT NOT NULL,
  request TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('filling', 'running', 'finalizing', 'complete', 'partial', 'failed', 'reset')),
  generation INTEGER NOT NULL,
  opened_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  finish_by INTEGER NOT NULL,
  min_coverage REAL NOT NULL,
  whole_slate INTEGER NOT NULL,
  -- Sizes of the sets in `jobs` and `done`, changed with them in one transaction and compared with them by the sweep:
  -- counting 100,000 rows for each look at a batch would take longer than a look may take.
  total INTEGER NOT NULL,
  queued INTEGER NOT NULL CHECK (queued >= 0),
  leased INTEGER NOT NULL CHECK (leased >= 0),
  staged_rows INTEGER NOT NULL,
  closing TEXT,
  ticket TEXT,
  ticket_until INTEGER,
  strikes INTEGER NOT NULL,
  last_error TEXT NOT NULL,
  receipt TEXT,
  stale_writes INTEGER NOT NULL
) STRICT;

-- One open batch per slate, by the database itself.
CREATE UNIQUE INDEX IF NOT EXISTS batches_open ON batches (slate)
  WHERE state IN ('filling', 'running', 'finalizing');

-- Ended jobs by primary code.
CREATE TABLE IF NOT EXISTS reasons (
  batch INTEGER NOT NULL,
  code TEXT NOT NULL,
  jobs INTEGER NOT NULL,
  PRIMARY KEY (batch, code)
) STRICT, WITHOUT ROWID;

-- What never changes of a job.
CREATE TABLE IF NOT EXISTS payloads (
  key INTEGER PRIMARY KEY,
  batch INTEGER NOT NULL,
  id TEXT NOT NULL,
  payload BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS payloads_id ON payloads (batch, id);

-- Where a job is. A row keeps its length when its place changes, so that it is changed where it lies: that is why
-- places are 2, 3, 4 and not 0, 1, 2, and why a job without a lease has sixteen zero bytes.
CREATE TABLE IF NOT EXISTS jobs (
  key INTEGER PRIMARY KEY,
  batch INTEGER NOT NULL,
  place INTEGER NOT NULL CHECK (place BETWEEN 2 AND 4), -- 2 waits, 3 with a worker, 4 ended
  not_before INTEGER NOT NULL,
  lease BLOB NOT NULL,
  attempts INTEGER NOT NULL,
  hangs INTEGER NOT NULL,
  alone INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS jobs_waiting ON jobs (batch, not_before) WHERE place = 2;

-- How a job ended: one record of lease, digest, code, rows, note and body, as src/record.rs writes it.
CREATE TABLE IF NOT EXISTS done (
  key INTEGER PRIMARY KEY,
  record BLOB NOT NULL
) STRICT;

-- Live claims. `seqs` is the chunk as a JSON list; held are those of it that still have this lease.
CREATE TABLE IF NOT EXISTS leases (
  lease BLOB PRIMARY KEY,
  batch INTEGER NOT NULL,
  worker TEXT NOT NULL,
  claimed_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  deadline_at INTEGER NOT NULL,
  chunk INTEGER NOT NULL,
  held INTEGER NOT NULL,
  seqs TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What happens by itself, and when: `lease:`, `opener:`, `finish:` or `ticket:` with an id.
CREATE TABLE IF NOT EXISTS due (
  key TEXT PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS log (
  no INTEGER PRIMARY KEY AUTOINCREMENT,
  batch INTEGER NOT NULL,
  at INTEGER NOT NULL,
  text TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS log_batch ON log (batch, no);

-- Events that wait to be delivered, and dead letters.
CREATE TABLE IF NOT EXISTS outbox (
  id TEXT PRIMARY KEY,
  payload TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  dead TEXT
) STRICT, WITHOUT ROWID;
