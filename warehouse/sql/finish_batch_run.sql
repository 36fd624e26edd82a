-- $1 batch, $2 date, $3 status, $4 now, $5 counts, $6 error, $7 error class
INSERT INTO runs (run_id, stage, game_date, batch_id, status, started_at, finished_at, counts, error, error_class)
VALUES ($1, 'predict', $2, $1, $3, $4, $4, $5, $6, $7)
ON CONFLICT (run_id) DO UPDATE SET
    status = excluded.status,
    finished_at = excluded.finished_at,
    counts = excluded.counts,
    error = excluded.error,
    error_class = excluded.error_class
WHERE runs.status = 'running'
