-- $1 strictly before, $2 from
WITH latest AS (
    SELECT player_lookup, max(game_date) AS last_date
    FROM player_games
    WHERE game_date >= $2 AND game_date < $1
    GROUP BY player_lookup
)
SELECT g.player_lookup, g.player_name, COALESCE(p.base_lookup, g.player_lookup), g.team, g.game_date
FROM latest l
JOIN player_games g ON g.player_lookup = l.player_lookup AND g.game_date = l.last_date
LEFT JOIN players p ON p.player_lookup = g.player_lookup
ORDER BY g.player_lookup
