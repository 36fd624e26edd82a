-- Puts jobs back: $1 batch number, $2 [[number, not_before, attempts, hangs, alone], …].
UPDATE jobs SET
  place = 2, lease = zeroblob(16), not_before = e.not_before, attempts = e.attempts, hangs = e.hangs, alone = e.alone
FROM (
  SELECT $1 * 1048576 + (value ->> 0) AS key, value ->> 1 AS not_before, value ->> 2 AS attempts,
         value ->> 3 AS hangs, value ->> 4 AS alone
  FROM json_each($2)
) e
WHERE jobs.key = e.key;
