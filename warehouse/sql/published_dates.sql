-- $1 system, $2 market. A backfill was made after the games: it shows nothing about a night.
SELECT count(DISTINCT l.game_date)
FROM published_lines l
WHERE l.market = $2 AND l.prediction_run_mode <> 'BACKFILL'
    AND EXISTS (
        SELECT 1 FROM published_predictions p
        WHERE p.game_date = l.game_date AND p.generation = l.generation AND p.game_id = l.game_id
            AND p.player_lookup = l.player_lookup AND p.market = l.market AND p.system_id = $1
    )
