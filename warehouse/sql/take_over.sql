-- $1 number before the batch's first line, $2 its generation. A key without an active row gets one, one with an older row's
-- gives way.
INSERT INTO active_predictions (key_no, generation, row_no)
SELECT l.key_id << 16 | (s.row_no & 65535), $2, ($1 << 16) + s.row_no
FROM published_lines l
CROSS JOIN staged_rows s
WHERE l.line_id > $1 AND s.row_no >= (l.line_id - $1) << 16 AND s.row_no < (l.line_id - $1 + 1) << 16
ON CONFLICT (key_no) DO UPDATE SET generation = excluded.generation, row_no = excluded.row_no
