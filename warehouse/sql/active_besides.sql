-- $1 the slate's date: active rows that get no successor from the staged batch. There are usually none: found by the narrow
-- table alone, and only those are looked up.
SELECT p.game_id, p.player_lookup, p.market, p.system_id, l.batch_id, p.predicted_value, p.half_points, l.line_source,
    l.line_source_api, p.recommendation, p.in_sample, l.feature_quality_score, l.default_feature_count, p.row_sha256
FROM active_predictions a
CROSS JOIN published_predictions p
CROSS JOIN published_lines l
WHERE p.game_date = a.game_date AND p.generation = a.generation AND p.game_id = a.game_id
    AND p.player_lookup = a.player_lookup AND p.market = a.market AND p.system_id = a.system_id
    AND l.game_date = a.game_date AND l.generation = a.generation AND l.game_id = a.game_id
    AND l.player_lookup = a.player_lookup AND l.market = a.market
    AND a.game_date = $1
    AND NOT EXISTS (
        SELECT 1 FROM staged_rows s
        WHERE s.game_id = a.game_id AND s.player_lookup = a.player_lookup AND s.market = a.market
            AND s.system_id = a.system_id
    )
ORDER BY a.game_id, a.player_lookup, a.market, a.system_id
