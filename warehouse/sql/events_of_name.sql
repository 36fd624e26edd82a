-- $1 the name's key, $2 game, $3 the name
SELECT DISTINCT event_id FROM lines
WHERE player_lookup = $1 AND NOT player_resolved AND game_id = $2 AND player_name = $3
