-- $1 number before the batch's first line
INSERT INTO published_predictions (
    row_no, prediction_id, model_id, predicted_value, half_points, over_probability, over_expected_value,
    under_expected_value, over_fair_price, line_margin, recommendation, in_sample, row_sha256
)
SELECT
    ($1 + (s.row_no >> 16)) << 16 | y.published_no, s.prediction_id, m.model_id, s.predicted_value, s.half_points,
    s.over_probability, s.over_expected_value, s.under_expected_value, s.over_fair_price, s.line_margin, s.recommendation,
    s.in_sample, s.row_sha256
FROM staged_rows s
CROSS JOIN staged_systems y
CROSS JOIN staged_models m
WHERE y.system_no = s.row_no & 65535 AND m.model_no = s.model_no
