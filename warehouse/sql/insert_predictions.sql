-- $1 batch, $2 generation, $3 sport, $4 date, $5 run mode, $6 now
INSERT INTO predictions (
    prediction_id, batch_id, generation, sport, game_date, game_id, player_lookup, market, system_id,
    prediction_run_mode, model_sha256, inputs_sha256, predicted_value, half_points, line_source, line_source_api,
    book, was_line_fallback, over_price, under_price, line_snapshot_at, line_minutes_before_game, consensus_line,
    line_spread, no_vig_over, over_probability, over_expected_value, under_expected_value,
    over_fair_price, line_margin, recommendation, feature_quality_score, default_feature_count, in_sample,
    as_of, predicted_at, row_sha256, is_active, created_at
)
SELECT
    prediction_id, $1, $2, $3, $4, game_id, player_lookup, market, system_id,
    $5, model_sha256, inputs_sha256, predicted_value, half_points, line_source, line_source_api,
    book, was_line_fallback, over_price, under_price, line_snapshot_at, line_minutes_before_game, consensus_line,
    line_spread, no_vig_over, over_probability, over_expected_value, under_expected_value,
    over_fair_price, line_margin, recommendation, feature_quality_score, default_feature_count, in_sample,
    as_of, predicted_at, row_sha256, TRUE, $6
FROM staged_rows
