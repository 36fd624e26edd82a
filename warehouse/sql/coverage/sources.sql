SELECT game_date, source, count(DISTINCT source_file), count(DISTINCT player_lookup || ' ' || market || ' ' || event_id), count(*)
FROM lines
WHERE game_date BETWEEN $1 AND $2
GROUP BY game_date, source
ORDER BY game_date, source
