-- Writes what can change of a batch ($1 its number), and counts the write.
UPDATE batches SET
  state = $2, generation = $3, updated_at = $4, finish_by = $5, min_coverage = $6, total = $7, queued = $8,
  leased = $9, staged_rows = $10, closing = $11, ticket = $12, ticket_until = $13, strikes = $14, last_error = $15,
  receipt = $16, stale_writes = $17
WHERE no = $1;
UPDATE meta SET writes = writes + 1;
