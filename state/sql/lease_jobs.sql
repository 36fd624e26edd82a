-- Hands jobs out: $1 batch number, $2 [number, …], $3 lease, $4 worker, $5 claimed, $6 expires, $7 deadline,
-- $8 how many, $9 due key.
UPDATE jobs SET place = 3, lease = $3 WHERE key IN (SELECT $1 * 1048576 + value FROM json_each($2));
UPDATE batches SET queued = queued - $8, leased = leased + $8, updated_at = $5 WHERE no = $1;
INSERT INTO leases (lease, batch, worker, claimed_at, expires_at, deadline_at, chunk, held, seqs)
  VALUES ($3, $1, $4, $5, $6, $7, $8, $8, $2);
INSERT INTO due (key, at) VALUES ($9, $6);
UPDATE meta SET writes = writes + 1;
