-- What every active row says; conditions on its key `k` follow.
SELECT p.prediction_id, k.generation, k.game_id, k.player_lookup, k.market, k.system_id, p.model_sha256,
    p.predicted_value, p.half_points, p.over_probability, p.over_expected_value, p.under_expected_value,
    p.over_fair_price, p.line_margin, p.recommendation, p.in_sample, p.row_sha256
FROM active_predictions k
CROSS JOIN published_predictions p
WHERE p.game_date = k.game_date AND p.generation = k.generation AND p.game_id = k.game_id
    AND p.player_lookup = k.player_lookup AND p.market = k.market AND p.system_id = k.system_id
