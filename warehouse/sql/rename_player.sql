-- $1 the name's key, $2 game, $3 the name, $4 the player
UPDATE OR IGNORE lines SET player_lookup = $4, player_resolved = 1
WHERE player_lookup = $1 AND NOT player_resolved AND game_id = $2 AND player_name = $3
