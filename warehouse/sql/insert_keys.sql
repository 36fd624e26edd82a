-- $1 date: the keys of the new lines, of which most are there already
INSERT INTO prediction_keys (game_date, game_id, player_lookup, market)
SELECT $1, game_id, player_lookup, market FROM staged_lines WHERE TRUE
ON CONFLICT DO NOTHING
