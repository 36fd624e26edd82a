-- What every active row says; conditions on its key `k`, its system `y` and on `a` follow.
-- A key is asked for every system by name: so its rows come in order, and nothing is sorted.
SELECT a.row_no, p.prediction_id, p.model_id, p.predicted_value, p.over_probability,
    p.over_expected_value, p.under_expected_value, p.over_fair_price, p.line_margin, p.recommendation, p.in_sample, p.row_sha256
FROM prediction_keys k
CROSS JOIN prediction_systems y
CROSS JOIN active_predictions a
CROSS JOIN published_predictions p
WHERE a.key_no = (k.key_id << 16 | y.system_no) AND p.row_no = a.row_no
