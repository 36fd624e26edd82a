-- $1 numbers of lines, a JSON list
SELECT l.line_id, l.generation, k.game_id, k.player_lookup, k.market, l.batch_id, l.sport, l.prediction_run_mode,
    l.inputs_sha256, l.half_points, l.line_source, l.line_source_api, l.book, l.was_line_fallback, l.over_price, l.under_price,
    l.line_snapshot_at, l.line_minutes_before_game, l.consensus_line, l.line_spread, l.no_vig_over,
    l.feature_quality_score, l.default_feature_count, l.as_of, l.predicted_at, l.created_at
FROM json_each($1) asked
CROSS JOIN published_lines l
CROSS JOIN prediction_keys k
WHERE l.line_id = asked.value AND k.key_id = l.key_id
