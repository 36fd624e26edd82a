-- $1 batch, $2 generation, $3 sport, $4 date, $5 run mode, $6 now
INSERT INTO published_lines (
    game_date, generation, game_id, player_lookup, market, batch_id, sport, prediction_run_mode, inputs_sha256,
    half_points, line_source, line_source_api, book, was_line_fallback, over_price, under_price, line_snapshot_at,
    line_minutes_before_game, consensus_line, line_spread, no_vig_over, feature_quality_score, default_feature_count,
    as_of, predicted_at, created_at
)
SELECT
    $4, $2, game_id, player_lookup, market, $1, $3, $5, inputs_sha256,
    half_points, line_source, line_source_api, book, was_line_fallback, over_price, under_price, line_snapshot_at,
    line_minutes_before_game, consensus_line, line_spread, no_vig_over, feature_quality_score, default_feature_count,
    as_of, predicted_at, $6
FROM staged_lines
