SELECT game_id, player_lookup, market, system_id, batch_id, predicted_value, half_points, line_source,
    line_source_api, recommendation, in_sample, feature_quality_score, default_feature_count, row_sha256
FROM predictions
WHERE is_active AND game_id >= $1 AND game_id < $2 AND sport = $3
ORDER BY game_id, player_lookup, market, system_id
