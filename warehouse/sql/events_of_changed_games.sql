-- $1 ingested at, $2 source file
SELECT DISTINCT l.event_id, l.game_id
FROM games g
JOIN lines l ON l.game_date = g.game_date AND l.game_id = g.game_id
WHERE g.ingested_at = $1 AND g.source_file = $2
