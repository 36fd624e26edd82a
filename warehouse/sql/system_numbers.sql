-- $1 names, a JSON list: the numbers of those that have one
SELECT system_id, system_no FROM prediction_systems WHERE system_id IN (SELECT value FROM json_each($1))
