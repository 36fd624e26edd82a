UPDATE batches SET announced_at = $2 WHERE batch_id = $1 AND announced_at IS NULL
