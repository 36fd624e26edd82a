-- $1 now, $2 the code, $3 and $4 the range of the slate's game ids
UPDATE predictions
SET is_active = FALSE, invalidation_reason = $2, invalidated_at = $1
FROM staged_outcomes o
WHERE predictions.is_active
    AND predictions.game_id >= $3 AND predictions.game_id < $4
    AND o.code = $2
    AND predictions.game_id = o.game_id
    AND predictions.player_lookup = o.player_lookup
    AND (predictions.market, predictions.system_id) IN (SELECT market, system_id FROM staged_wanted)
    AND predictions.game_id NOT IN (SELECT game_id FROM staged_started)
