-- $1 now, $2 the code, $3 the slate's date
UPDATE published_predictions
SET invalidation_reason = $2, invalidated_at = $1
FROM staged_outcomes o
JOIN prediction_keys k ON k.game_date = $3 AND k.game_id = o.game_id AND k.player_lookup = o.player_lookup
JOIN active_predictions a ON a.key_no >= k.key_id << 16 AND a.key_no < (k.key_id + 1) << 16
JOIN prediction_systems y ON y.system_no = a.system_no
WHERE o.code = $2
    AND (k.market, y.system_id) IN (SELECT market, system_id FROM staged_wanted)
    AND k.game_id NOT IN (SELECT game_id FROM staged_started)
    AND published_predictions.row_no = a.row_no
