UPDATE batches SET withdrawn_at = $3, withdrawn_reason = $2
WHERE batch_id = $1 AND withdrawn_at IS NULL AND state IS NULL
