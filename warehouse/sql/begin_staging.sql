-- $1 wanted rows, a JSON list of [market, system], $2 their systems, a JSON list of [number, name]. What an earlier publication
-- left behind goes.
DELETE FROM staged_models;
DELETE FROM staged_lines;
DELETE FROM staged_systems;
DELETE FROM staged_rows;
DELETE FROM staged_outcomes;
DELETE FROM staged_wanted;
DELETE FROM staged_started;
INSERT INTO staged_wanted (market, system_id)
SELECT value ->> 0, value ->> 1 FROM json_each($1) WHERE TRUE ON CONFLICT DO NOTHING;
INSERT INTO staged_systems (system_no, system_id, published_no)
SELECT value ->> 0, value ->> 1, (SELECT y.system_no FROM prediction_systems y WHERE y.system_id = value ->> 1)
FROM json_each($2);
