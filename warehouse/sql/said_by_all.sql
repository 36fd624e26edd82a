-- What every row says that was ever published, and what became of it; conditions on `k` follow.
SELECT k.prediction_id, k.generation, k.game_id, k.player_lookup, k.market, k.system_id, k.model_sha256,
    k.predicted_value, k.half_points, k.over_probability, k.over_expected_value, k.under_expected_value,
    k.over_fair_price, k.line_margin, k.recommendation, k.in_sample, k.row_sha256,
    k.is_active, k.invalidation_reason, k.invalidated_at, k.superseded_by, k.superseded_at
FROM predictions k
WHERE TRUE
