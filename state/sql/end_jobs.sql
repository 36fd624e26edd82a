-- Ends jobs: $1 batch number, $2 [packed, ...], $3 their records end to end.
-- A packed integer says where a job's record lies: 17 bits its number, 20 bits length, 26 bits offset. One integer per
-- job is several times faster to take apart than one list per job.
INSERT INTO done (key, record)
  SELECT $1 * 1048576 + (value & 131071), substr($3, (value >> 37) + 1, (value >> 17) & 1048575)
  FROM json_each($2);
UPDATE jobs SET place = 4 WHERE key IN (SELECT $1 * 1048576 + (value & 131071) FROM json_each($2));
