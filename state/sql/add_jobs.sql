-- Adds jobs: $1 batch number, $2 [[number, id, offset, length], …] into $3 (payloads end to end), $4 now.
INSERT INTO payloads (key, batch, id, payload)
  SELECT $1 * 1048576 + (e.value ->> 0), $1, e.value ->> 1,
         coalesce(substr($3, (e.value ->> 2) + 1, e.value ->> 3), zeroblob(0))
  FROM json_each($2) e;
INSERT INTO jobs (key, batch, place, not_before, lease, attempts, hangs, alone)
  SELECT $1 * 1048576 + (e.value ->> 0), $1, 2, $4, zeroblob(16), 0, 0, 0
  FROM json_each($2) e;
