DELETE FROM staged_models;
DELETE FROM staged_lines;
DELETE FROM staged_systems;
DELETE FROM staged_rows;
DELETE FROM staged_outcomes;
DELETE FROM staged_wanted;
DELETE FROM staged_started;
