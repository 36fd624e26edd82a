-- $1 number before the batch's first line
INSERT INTO published_predictions (
    row_no, prediction_id, model_id, predicted_value, half_points, over_probability, over_expected_value,
    under_expected_value, over_fair_price, line_margin, recommendation, in_sample, row_sha256
)
SELECT
    ($1 << 16) + row_no, prediction_id, model_id, predicted_value, half_points, over_probability, over_expected_value,
    under_expected_value, over_fair_price, line_margin, recommendation, in_sample, row_sha256
FROM staged_rows
