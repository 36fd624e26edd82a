-- After an outage: every lease, opener and ticket gets one full length from $1. Finish-by is never extended.
UPDATE leases SET expires_at =
  max(expires_at, $1 + (SELECT b.timing ->> 'lease_ms' FROM batches b WHERE b.no = leases.batch));
UPDATE leases SET deadline_at = max(deadline_at, expires_at);
UPDATE due SET at = l.expires_at FROM leases l WHERE due.key = 'lease:' || lower(hex(l.lease));
UPDATE due SET at = max(at, $1 + (b.timing ->> 'finalizer_lease_ms'))
  FROM batches b WHERE due.key = 'opener:' || b.batch_id;
UPDATE batches SET ticket_until = max(ticket_until, $1 + (timing ->> 'finalizer_lease_ms'))
  WHERE ticket IS NOT NULL;
INSERT OR REPLACE INTO due (key, at)
  SELECT 'ticket:' || batch_id, ticket_until FROM batches WHERE ticket IS NOT NULL;
