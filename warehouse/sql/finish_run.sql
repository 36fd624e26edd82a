UPDATE runs SET status = $2, finished_at = $3, counts = $4, error = $5, error_class = $6
WHERE run_id = $1 AND status = 'running'
