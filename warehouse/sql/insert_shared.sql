-- $1 date: what lines and rows refer to, of which most is there already
INSERT INTO prediction_keys (game_date, game_id, player_lookup, market)
SELECT $1, game_id, player_lookup, market FROM staged_lines WHERE TRUE
ON CONFLICT DO NOTHING;
INSERT INTO prediction_models (model_sha256) SELECT model_sha256 FROM staged_models WHERE TRUE ON CONFLICT DO NOTHING;
UPDATE staged_models
SET model_id = (SELECT m.model_id FROM prediction_models m WHERE m.model_sha256 = staged_models.model_sha256);
INSERT INTO prediction_systems (system_id)
SELECT system_id FROM staged_systems WHERE TRUE ORDER BY system_id ON CONFLICT DO NOTHING;
UPDATE staged_systems
SET published_no = (SELECT y.system_no FROM prediction_systems y WHERE y.system_id = staged_systems.system_id);
