SELECT player_lookup, player_name FROM players ORDER BY player_lookup
