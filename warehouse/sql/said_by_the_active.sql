-- What every active row says; conditions on its key `k` and on `a` follow.
SELECT a.line_id, a.system_id, p.prediction_id, p.model_id, p.predicted_value, p.over_probability,
    p.over_expected_value, p.under_expected_value, p.over_fair_price, p.line_margin, p.recommendation, p.in_sample, p.row_sha256
FROM prediction_keys k
CROSS JOIN active_predictions a
CROSS JOIN published_predictions p
WHERE a.key_id = k.key_id AND p.line_id = a.line_id AND p.system_id = a.system_id
