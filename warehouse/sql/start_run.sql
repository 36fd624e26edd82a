INSERT INTO runs (run_id, stage, game_date, batch_id, status, started_at) VALUES ($1, $2, $3, $4, 'running', $5)
ON CONFLICT (run_id) DO NOTHING
