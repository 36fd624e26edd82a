-- $1 ingested at, $2 source file: events of games whose row, or whose closing line, this file brought
SELECT DISTINCT l.event_id, l.game_id
FROM (
    SELECT game_date, game_id FROM games WHERE ingested_at = $1 AND source_file = $2
    UNION
    SELECT game_date, game_id FROM game_lines WHERE ingested_at = $1 AND source_file = $2
) g
JOIN lines l ON l.game_date = g.game_date AND l.game_id = g.game_id
