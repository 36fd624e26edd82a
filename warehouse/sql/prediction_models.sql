SELECT model_id, model_sha256 FROM prediction_models
