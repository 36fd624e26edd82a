SELECT player_lookup, player_name, team, reported_at, count(*)
FROM injuries
WHERE NOT player_resolved
GROUP BY player_lookup, player_name, team, reported_at
ORDER BY player_lookup, player_name, team, reported_at
