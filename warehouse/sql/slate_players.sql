-- $1 results strictly before, $2 results from, $3 the slate's date: everybody whose newest team plays
WITH latest AS (
    SELECT player_lookup, max(game_date) AS last_date
    FROM player_games
    WHERE game_date >= $2 AND game_date < $1
    GROUP BY player_lookup
),
playing AS (
    SELECT away AS team FROM games WHERE game_date = $3
    UNION
    SELECT home FROM games WHERE game_date = $3
)
SELECT g.player_lookup, g.player_name, g.team, g.game_date,
    (SELECT avg(h.minutes) FROM (
        SELECT m.minutes FROM player_games m
        WHERE m.player_lookup = g.player_lookup AND m.game_date < $1
        ORDER BY m.game_date DESC
        LIMIT 10
    ) h)
FROM latest l
JOIN player_games g ON g.player_lookup = l.player_lookup AND g.game_date = l.last_date
WHERE g.team IN (SELECT team FROM playing)
ORDER BY g.player_lookup
