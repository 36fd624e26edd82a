DELETE FROM staged_rows WHERE game_id IN (SELECT game_id FROM staged_started)
