UPDATE runs SET status = 'cancelled', error = $2, finished_at = $3 WHERE run_id = $1 AND status = 'running'
