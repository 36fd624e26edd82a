SELECT player_name FROM lines WHERE player_lookup = $1 AND player_resolved
UNION
SELECT player_name FROM injuries WHERE player_lookup = $1 AND player_resolved
ORDER BY player_name
