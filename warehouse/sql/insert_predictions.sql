-- $1 date, $2 generation
INSERT INTO published_predictions (
    game_date, generation, game_id, player_lookup, market, system_id, prediction_id, model_sha256, predicted_value,
    half_points, over_probability, over_expected_value, under_expected_value, over_fair_price, line_margin,
    recommendation, in_sample, row_sha256
)
SELECT
    $1, $2, game_id, player_lookup, market, system_id, prediction_id, model_sha256, predicted_value,
    half_points, over_probability, over_expected_value, under_expected_value, over_fair_price, line_margin,
    recommendation, in_sample, row_sha256
FROM staged_rows
