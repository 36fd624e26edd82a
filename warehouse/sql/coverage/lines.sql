SELECT game_id, count(DISTINCT player_lookup), count(DISTINCT book), count(*)
FROM lines
WHERE game_date BETWEEN $1 AND $2 AND game_id IS NOT NULL
GROUP BY game_id
