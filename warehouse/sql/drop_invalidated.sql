-- $1 the slate's date, $2 the code
DELETE FROM active_predictions
WHERE key_id IN (
        SELECT k.key_id
        FROM staged_outcomes o
        JOIN prediction_keys k ON k.game_date = $1 AND k.game_id = o.game_id AND k.player_lookup = o.player_lookup
        WHERE o.code = $2
    )
    AND EXISTS (
        SELECT 1 FROM published_predictions p
        WHERE p.line_id = active_predictions.line_id
            AND p.system_id = active_predictions.system_id
            AND p.invalidation_reason IS NOT NULL
    )
