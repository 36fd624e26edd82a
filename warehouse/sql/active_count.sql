SELECT count(*)
FROM predictions
WHERE is_active AND game_id >= $1 AND game_id < $2 AND sport = $3
