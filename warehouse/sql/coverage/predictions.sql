-- $1 first date, $2 last date
SELECT game_id, count(DISTINCT player_lookup), count(*)
FROM active_predictions
WHERE game_date >= $1 AND game_date <= $2
GROUP BY game_id
