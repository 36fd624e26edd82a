-- $1 now, $2 the code, $3 the slate's date
UPDATE published_predictions
SET invalidation_reason = $2, invalidated_at = $1
FROM staged_outcomes o
JOIN active_predictions a ON a.game_date = $3 AND a.game_id = o.game_id AND a.player_lookup = o.player_lookup
WHERE o.code = $2
    AND (a.market, a.system_id) IN (SELECT market, system_id FROM staged_wanted)
    AND a.game_id NOT IN (SELECT game_id FROM staged_started)
    AND published_predictions.game_date = a.game_date
    AND published_predictions.generation = a.generation
    AND published_predictions.game_id = a.game_id
    AND published_predictions.player_lookup = a.player_lookup
    AND published_predictions.market = a.market
    AND published_predictions.system_id = a.system_id
