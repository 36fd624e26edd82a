-- $1 wanted rows, a JSON list of [market, system]. What an earlier publication left behind goes.
DELETE FROM staged_lines;
DELETE FROM staged_rows;
DELETE FROM staged_outcomes;
DELETE FROM staged_wanted;
DELETE FROM staged_started;
INSERT INTO staged_wanted (market, system_id)
SELECT value ->> 0, value ->> 1 FROM json_each($1) WHERE TRUE ON CONFLICT DO NOTHING
