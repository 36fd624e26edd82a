-- Ends jobs: $1 batch number, $2 [[number, code, rows, digest, note, offset, length], …] into $3 (bodies end to end),
-- $4 the lease that completed them or null.
INSERT INTO done (key, code, num_rows, lease, digest, note, body)
  SELECT $1 * 1048576 + (e.value ->> 0), e.value ->> 1, e.value ->> 2, $4, e.value ->> 3, e.value ->> 4,
         coalesce(substr($3, (e.value ->> 5) + 1, e.value ->> 6), zeroblob(0))
  FROM json_each($2) e;
UPDATE jobs SET place = 4 WHERE key IN (SELECT $1 * 1048576 + (value ->> 0) FROM json_each($2));
INSERT INTO reasons (batch, code, jobs)
  SELECT $1, e.value ->> 1, count(*) FROM json_each($2) e WHERE true GROUP BY e.value ->> 1
  ON CONFLICT (batch, code) DO UPDATE SET jobs = jobs + excluded.jobs;
