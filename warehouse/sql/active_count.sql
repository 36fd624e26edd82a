-- $1 the slate's date. Asked with every look at a batch.
SELECT count(*)
FROM prediction_keys k
CROSS JOIN active_predictions a
WHERE k.game_date = $1 AND a.key_id = k.key_id
