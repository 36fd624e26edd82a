-- $1 results strictly before, $2 results from, $3 the slate's date: everybody whose newest team plays
-- One seek a player is less than a walk through a month of games.
WITH latest AS MATERIALIZED (
    SELECT p.player_lookup, (
        SELECT max(m.game_date) FROM player_games m WHERE m.player_lookup = p.player_lookup AND m.game_date < $1
    ) AS last_date
    FROM players p
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
CROSS JOIN player_games g
WHERE g.player_lookup = l.player_lookup AND g.game_date = l.last_date
    AND l.last_date >= $2 AND g.team IN (SELECT team FROM playing)
ORDER BY g.player_lookup
