-- $1 system, $2 market. A backfill was made after the games: it shows nothing about a night.
SELECT count(DISTINCT game_date) FROM predictions
WHERE system_id = $1 AND market = $2 AND prediction_run_mode <> 'BACKFILL'
