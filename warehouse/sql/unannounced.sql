SELECT batch_id, state IS NOT NULL
FROM batches
WHERE announced_at IS NULL AND withdrawn_at IS NULL
ORDER BY batch_id
