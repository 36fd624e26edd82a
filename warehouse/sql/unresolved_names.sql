SELECT player_lookup, player_name, game_id, source, count(*)
FROM lines
WHERE NOT player_resolved AND game_id IS NOT NULL
GROUP BY player_lookup, player_name, game_id, source
ORDER BY player_lookup, game_id, source, player_name
