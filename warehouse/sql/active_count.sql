-- $1 and $2 the range of the slate's game ids. Asked with every look at a batch: answered by the index of active rows alone.
SELECT count(*)
FROM predictions
WHERE is_active AND game_id >= $1 AND game_id < $2
