-- What every row says that was ever published, and what became of it; conditions on its key `k`, its system `y` and on `a` follow.
SELECT a.row_no, a.prediction_id, a.model_id, a.predicted_value, a.over_probability,
    a.over_expected_value, a.under_expected_value, a.over_fair_price, a.line_margin, a.recommendation, a.in_sample, a.row_sha256,
    a.is_active, a.invalidation_reason, a.invalidated_at,
    (SELECT h.prediction_id FROM published_predictions h WHERE h.row_no = a.heir_no),
    (SELECT b.decided_at FROM published_lines h JOIN batches b ON b.batch_id = h.batch_id WHERE h.line_id = a.heir_no >> 16)
FROM prediction_keys k
JOIN prediction_fates a ON a.key_id = k.key_id
JOIN prediction_systems y ON y.system_id = a.system_id
WHERE TRUE
