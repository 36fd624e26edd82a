SELECT alias, player_lookup FROM player_aliases ORDER BY alias
