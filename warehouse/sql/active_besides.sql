-- $1 and $2 the range of the slate's game ids: active rows that get no successor from the staged batch. Found by the index of
-- active rows alone, since there are usually none; only those are looked up.
WITH besides AS MATERIALIZED (
    SELECT p.game_date, p.generation, p.game_id, p.player_lookup, p.market, p.system_id
    FROM predictions p
    WHERE p.is_active AND p.game_id >= $1 AND p.game_id < $2
        AND NOT EXISTS (
            SELECT 1 FROM staged_rows s
            WHERE s.game_id = p.game_id AND s.player_lookup = p.player_lookup AND s.market = p.market
                AND s.system_id = p.system_id
        )
)
SELECT p.game_id, p.player_lookup, p.market, p.system_id, p.batch_id, p.predicted_value, p.half_points, p.line_source,
    p.line_source_api, p.recommendation, p.in_sample, p.feature_quality_score, p.default_feature_count, p.row_sha256
FROM besides b
CROSS JOIN predictions p ON p.game_date = b.game_date AND p.generation = b.generation AND p.game_id = b.game_id
    AND p.player_lookup = b.player_lookup AND p.market = b.market AND p.system_id = b.system_id
ORDER BY p.game_id, p.player_lookup, p.market, p.system_id
