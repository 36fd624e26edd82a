-- $1 player, $2 spelling
SELECT DISTINCT event_id FROM lines WHERE player_lookup = $1 AND player_resolved AND player_name = $2
