-- $1 now, $2 and $3 the range of the slate's game ids
UPDATE predictions
SET is_active = FALSE, superseded_by = s.prediction_id, superseded_at = $1
FROM staged_rows s
WHERE predictions.is_active
    AND predictions.game_id >= $2 AND predictions.game_id < $3
    AND predictions.game_id = s.game_id
    AND predictions.player_lookup = s.player_lookup
    AND predictions.market = s.market
    AND predictions.system_id = s.system_id
