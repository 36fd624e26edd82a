-- $1 player, $2 spelling, $3 the spelling's own key
UPDATE OR IGNORE lines SET player_lookup = $3, player_resolved = 0
WHERE player_lookup = $1 AND player_resolved AND player_name = $2
