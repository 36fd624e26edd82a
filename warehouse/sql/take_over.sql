-- $1 number before the batch's first line, $2 its generation. A key without an active row gets one, one with an older row's
-- gives way.
INSERT INTO active_predictions (key_no, generation, row_no)
SELECT l.key_id << 16 | (s.row_no & 65535), $2, ($1 << 16) + s.row_no
FROM staged_rows s
CROSS JOIN published_lines l
WHERE l.line_id = $1 + (s.row_no >> 16)
ON CONFLICT (key_no) DO UPDATE SET generation = excluded.generation, row_no = excluded.row_no
