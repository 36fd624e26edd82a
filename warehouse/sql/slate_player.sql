-- $1 results strictly before, $2 the player: one who is quoted and has not played lately
SELECT g.player_lookup, g.player_name, g.team, g.game_date,
    (SELECT avg(h.minutes) FROM (
        SELECT m.minutes FROM player_games m
        WHERE m.player_lookup = g.player_lookup AND m.game_date < $1
        ORDER BY m.game_date DESC
        LIMIT 10
    ) h)
FROM player_games g
WHERE g.player_lookup = $2 AND g.game_date < $1
ORDER BY g.game_date DESC
LIMIT 1
