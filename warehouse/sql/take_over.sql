-- $1 number before the batch's first line, $2 its generation. A key without an active row gets one, one with an older row's
-- gives way.
INSERT INTO active_predictions (key_id, system_id, generation, line_id)
SELECT l.key_id, s.system_id, $2, l.line_id
FROM published_lines l
CROSS JOIN staged_rows s
WHERE l.line_id > $1 AND s.line_no = l.line_id - $1
ON CONFLICT (key_id, system_id) DO UPDATE SET generation = excluded.generation, line_id = excluded.line_id
