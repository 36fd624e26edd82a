ON CONFLICT (player_lookup) DO UPDATE SET
    player_name = excluded.player_name,
    base_lookup = excluded.base_lookup,
    league_player_id = COALESCE(excluded.league_player_id, players.league_player_id),
    team = COALESCE(excluded.team, players.team),
    last_game_date = COALESCE(excluded.last_game_date, players.last_game_date),
    source_file = excluded.source_file,
    ingested_at = excluded.ingested_at
WHERE COALESCE(excluded.last_game_date, '') >= COALESCE(players.last_game_date, '')
    AND (
        players.player_name, players.base_lookup, players.league_player_id, players.team, players.last_game_date
    ) IS DISTINCT FROM (
        excluded.player_name,
        excluded.base_lookup,
        COALESCE(excluded.league_player_id, players.league_player_id),
        COALESCE(excluded.team, players.team),
        COALESCE(excluded.last_game_date, players.last_game_date)
    )
