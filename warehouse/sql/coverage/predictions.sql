SELECT game_id, count(DISTINCT player_lookup), count(*)
FROM predictions
WHERE is_active AND game_id >= $1 AND game_id < $2
GROUP BY game_id
