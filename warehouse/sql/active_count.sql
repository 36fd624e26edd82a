-- $1 the slate's date. Asked with every look at a batch.
SELECT count(*)
FROM prediction_keys k
CROSS JOIN active_predictions a
WHERE k.game_date = $1 AND a.key_no >= k.key_id << 16 AND a.key_no < (k.key_id + 1) << 16
