-- $1 the slate's date, $2 the code
DELETE FROM active_predictions
WHERE key_no IN (
        SELECT a.key_no
        FROM staged_outcomes o
        JOIN prediction_keys k ON k.game_date = $1 AND k.game_id = o.game_id AND k.player_lookup = o.player_lookup
        JOIN active_predictions a ON a.key_no >= k.key_id << 16 AND a.key_no < (k.key_id + 1) << 16
        WHERE o.code = $2
    )
    AND EXISTS (
        SELECT 1 FROM published_predictions p
        WHERE p.row_no = active_predictions.row_no AND p.invalidation_reason IS NOT NULL
    )
