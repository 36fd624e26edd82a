INSERT INTO prediction_models (model_sha256) SELECT model_sha256 FROM staged_models WHERE TRUE ON CONFLICT DO NOTHING;
UPDATE staged_models
SET model_id = (SELECT m.model_id FROM prediction_models m WHERE m.model_sha256 = staged_models.model_sha256);
