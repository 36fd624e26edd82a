-- $1 started at or after
SELECT run_id, stage, game_date, batch_id, status, started_at, finished_at, counts, error, error_class
FROM runs
WHERE started_at >= $1 AND status = 'running'
ORDER BY started_at, run_id
