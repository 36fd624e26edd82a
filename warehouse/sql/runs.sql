SELECT run_id, stage, game_date, batch_id, status, started_at, finished_at, counts, error, error_class
FROM runs
WHERE $1 IS NULL OR stage = $1
ORDER BY started_at DESC, run_id DESC
LIMIT $2
