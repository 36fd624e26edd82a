-- $1 the slate's date: active rows that get no successor from the staged batch. There are usually none: found by the narrow
-- tables alone, and only those are looked up.
SELECT k.game_id, k.player_lookup, k.market, y.system_id, l.batch_id, p.predicted_value, p.half_points, l.line_source,
    l.line_source_api, p.recommendation, p.in_sample, l.feature_quality_score, l.default_feature_count, p.row_sha256
FROM prediction_keys k
LEFT JOIN staged_lines n
    ON n.game_id = k.game_id AND n.player_lookup = k.player_lookup AND n.market = k.market
CROSS JOIN active_predictions a
CROSS JOIN prediction_systems y
CROSS JOIN published_predictions p
CROSS JOIN published_lines l
WHERE a.key_no >= k.key_id << 16 AND a.key_no < (k.key_id + 1) << 16
    AND NOT EXISTS (
        SELECT 1 FROM staged_systems z CROSS JOIN staged_rows s
        WHERE z.published_no = a.system_no AND s.row_no = (n.line_no << 16 | z.system_no)
    )
    AND y.system_no = a.system_no
    AND p.row_no = a.row_no
    AND l.line_id = a.line_id
    AND k.game_date = $1
ORDER BY k.game_id, k.player_lookup, k.market, y.system_id
