-- What every row says that was ever published, and what became of it, as the view `predictions` has it; conditions on its key
-- `k` and on `a` follow, which is the row itself, with `is_active`.
SELECT a.line_id, a.system_id, a.prediction_id, a.model_id, a.predicted_value, a.over_probability,
    a.over_expected_value, a.under_expected_value, a.over_fair_price, a.line_margin, a.recommendation, a.in_sample, a.row_sha256,
    a.is_active, a.invalidation_reason, a.invalidated_at, a.superseded_by, a.superseded_at
FROM prediction_keys k
JOIN (
    SELECT l.key_id, l.generation, p.*, v.line_id IS NOT NULL AS is_active,
        CASE WHEN v.line_id IS NULL AND p.invalidation_reason IS NULL THEN (
        SELECT n.prediction_id
        FROM published_lines h
        CROSS JOIN published_predictions n
        WHERE n.line_id = h.line_id AND n.system_id = p.system_id AND h.key_id = l.key_id AND h.generation > l.generation
        ORDER BY h.generation
        LIMIT 1
        ) END AS superseded_by,
        CASE WHEN v.line_id IS NULL AND p.invalidation_reason IS NULL THEN (
        SELECT (SELECT b.decided_at FROM batches b WHERE b.batch_id = h.batch_id)
        FROM published_lines h
        CROSS JOIN published_predictions n
        WHERE n.line_id = h.line_id AND n.system_id = p.system_id AND h.key_id = l.key_id AND h.generation > l.generation
        ORDER BY h.generation
        LIMIT 1
        ) END AS superseded_at
    FROM published_lines l
    JOIN published_predictions p ON p.line_id = l.line_id
    LEFT JOIN active_predictions v ON v.key_id = l.key_id AND v.system_id = p.system_id AND v.line_id = p.line_id
) a ON a.key_id = k.key_id
WHERE TRUE
