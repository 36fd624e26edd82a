-- $1 first date, $2 last date
SELECT k.game_id, count(DISTINCT k.player_lookup), count(*)
FROM prediction_keys k
CROSS JOIN active_predictions a
WHERE k.game_date >= $1 AND k.game_date <= $2 AND a.key_no >= k.key_id << 16 AND a.key_no < (k.key_id + 1) << 16
GROUP BY k.game_id
