-- $1 names, a JSON list, in the order in which they are numbered
INSERT INTO prediction_systems (system_id) SELECT value FROM json_each($1) WHERE TRUE ON CONFLICT DO NOTHING
