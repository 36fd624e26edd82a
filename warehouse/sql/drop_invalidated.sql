-- $1 the slate's date, $2 the code
DELETE FROM active_predictions
WHERE game_date = $1
    AND (game_id, player_lookup) IN (SELECT game_id, player_lookup FROM staged_outcomes WHERE code = $2)
    AND EXISTS (
        SELECT 1 FROM published_predictions p
        WHERE p.game_date = active_predictions.game_date
            AND p.generation = active_predictions.generation
            AND p.game_id = active_predictions.game_id
            AND p.player_lookup = active_predictions.player_lookup
            AND p.market = active_predictions.market
            AND p.system_id = active_predictions.system_id
            AND p.invalidation_reason IS NOT NULL
    )
