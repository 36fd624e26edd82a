-- $1 and $2 the range of the slate's game ids, $3 sport: active rows that get no successor from the staged batch.
SELECT game_id, player_lookup, market, system_id, batch_id, predicted_value, half_points, line_source,
    line_source_api, recommendation, in_sample, feature_quality_score, default_feature_count, row_sha256
FROM predictions p
WHERE p.is_active AND p.game_id >= $1 AND p.game_id < $2 AND p.sport = $3
    AND NOT EXISTS (
        SELECT 1 FROM staged_rows s
        WHERE s.game_id = p.game_id AND s.player_lookup = p.player_lookup AND s.market = p.market
            AND s.system_id = p.system_id
    )
ORDER BY game_id, player_lookup, market, system_id
