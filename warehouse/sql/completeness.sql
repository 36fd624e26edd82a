-- $1 the slate's date, $2 seven days before it, $3 the opened contract
SELECT
    (SELECT count(*) FROM games WHERE game_date = $1),
    EXISTS (SELECT 1 FROM features WHERE game_date = $1 AND contract_version = $3),
    EXISTS (SELECT 1 FROM games WHERE game_date >= $1) AND EXISTS (SELECT 1 FROM games WHERE game_date <= $1),
    count(*),
    COALESCE(sum(CASE WHEN status = 'final' THEN 1 ELSE 0 END), 0),
    COALESCE(sum(CASE WHEN EXISTS (SELECT 1 FROM player_games p WHERE p.game_id = g.game_id) THEN 1 ELSE 0 END), 0)
FROM games g
WHERE g.game_date >= $2 AND g.game_date < $1
    AND g.phase NOT IN ('preseason', 'all_star')
    AND g.status NOT IN ('postponed', 'cancelled')
