-- $1 hashes, a JSON list: the numbers of those that have one
SELECT model_sha256, model_id FROM prediction_models WHERE model_sha256 IN (SELECT value FROM json_each($1))
