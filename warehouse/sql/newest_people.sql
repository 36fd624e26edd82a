SELECT max(at) FROM (
    SELECT max(ingested_at) AS at FROM player_games
    UNION ALL
    SELECT max(ingested_at) FROM player_aliases
)
