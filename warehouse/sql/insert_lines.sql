-- $1 number before the first, $2 batch, $3 generation, $4 sport, $5 date, $6 run mode, $7 now
INSERT INTO published_lines (
    line_id, key_id, generation, batch_id, sport, prediction_run_mode, inputs_sha256, half_points, line_source,
    line_source_api, book, was_line_fallback, over_price, under_price, line_snapshot_at, line_minutes_before_game,
    consensus_line, line_spread, no_vig_over, feature_quality_score, default_feature_count, as_of, predicted_at, created_at
)
SELECT
    $1 + s.line_no, k.key_id, $3, $2, $4, $6, s.inputs_sha256, s.half_points, s.line_source,
    s.line_source_api, s.book, s.was_line_fallback, s.over_price, s.under_price, s.line_snapshot_at, s.line_minutes_before_game,
    s.consensus_line, s.line_spread, s.no_vig_over, s.feature_quality_score, s.default_feature_count, s.as_of, s.predicted_at, $7
FROM staged_lines s
CROSS JOIN prediction_keys k
WHERE k.game_date = $5 AND k.game_id = s.game_id AND k.player_lookup = s.player_lookup AND k.market = s.market
