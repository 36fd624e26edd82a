-- $1 hashes, a JSON list, in the order in which they are numbered
INSERT INTO prediction_models (model_sha256) SELECT value FROM json_each($1) WHERE TRUE ON CONFLICT DO NOTHING
