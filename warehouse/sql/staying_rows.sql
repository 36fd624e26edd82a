-- $1 a batch's generation, $2 the slate's date: active rows of other batches, each with whether its key has a job in this one.
-- There are usually none: found by the narrow tables alone, and only those are looked up.
SELECT k.game_id, k.player_lookup, k.market, y.system_id, l.batch_id, p.predicted_value, p.half_points, l.line_source,
    l.line_source_api, p.recommendation, p.in_sample, l.feature_quality_score, l.default_feature_count, p.row_sha256,
    (k.game_id, k.player_lookup) IN (SELECT game_id, player_lookup FROM staged_outcomes)
        AND (k.market, y.system_id) IN (SELECT market, system_id FROM staged_wanted)
FROM prediction_keys k
CROSS JOIN active_predictions a
CROSS JOIN prediction_systems y
CROSS JOIN published_predictions p
CROSS JOIN published_lines l
WHERE a.key_no >= k.key_id << 16 AND a.key_no < (k.key_id + 1) << 16
    AND a.generation <> $1
    AND y.system_no = a.system_no
    AND p.row_no = a.row_no
    AND l.line_id = a.line_id
    AND k.game_date = $2
ORDER BY k.game_id, k.player_lookup, k.market, y.system_id
