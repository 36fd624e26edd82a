-- $1 system, $2 market. A backfill was made after the games: it shows nothing about a night.
SELECT count(DISTINCT k.game_date)
FROM published_lines l
JOIN prediction_keys k ON k.key_id = l.key_id
WHERE k.market = $2 AND l.prediction_run_mode <> 'BACKFILL'
    AND EXISTS (
        SELECT 1
        FROM prediction_systems y
        JOIN published_predictions p ON p.row_no = (l.line_id << 16 | y.system_no)
        WHERE y.system_id = $1
    )
