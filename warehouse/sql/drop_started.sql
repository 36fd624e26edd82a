DELETE FROM staged_rows
WHERE row_no >> 16 IN (SELECT line_no FROM staged_lines WHERE game_id IN (SELECT game_id FROM staged_started))
