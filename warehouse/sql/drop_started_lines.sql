DELETE FROM staged_lines WHERE game_id IN (SELECT game_id FROM staged_started)
