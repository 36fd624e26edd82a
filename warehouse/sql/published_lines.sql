-- $1 date, $2 generation, $3 player or null
SELECT game_id, player_lookup, market, batch_id, sport, prediction_run_mode, inputs_sha256, line_source, line_source_api,
    book, was_line_fallback, over_price, under_price, line_snapshot_at, line_minutes_before_game, consensus_line,
    line_spread, no_vig_over, feature_quality_score, default_feature_count, as_of, predicted_at, created_at
FROM published_lines
WHERE game_date = $1 AND generation = $2 AND ($3 IS NULL OR player_lookup = $3)
