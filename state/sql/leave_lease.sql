-- $2 jobs leave the lease $1; an empty lease goes, and its due entry $3 with it.
UPDATE leases SET held = held - $2 WHERE lease = $1;
DELETE FROM due WHERE key = $3 AND EXISTS (SELECT 1 FROM leases WHERE lease = $1 AND held <= 0);
DELETE FROM leases WHERE lease = $1 AND held <= 0;
