-- $1 and $2 bound the names of the attempts, the newest of which is the longest and then the last by name
SELECT run_id, stage, game_date, batch_id, status, started_at, finished_at, counts, error, error_class
FROM runs
WHERE run_id >= $1 AND run_id < $2
ORDER BY length(run_id) DESC, run_id DESC
LIMIT 1
