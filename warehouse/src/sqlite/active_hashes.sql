-- $1 this batch, $2 and $3 the range of the slate's game ids; one row for this batch, one for the others.
-- Joined in the database: thousands of hashes travel as two texts.
SELECT batch_id = $1, count(*), group_concat(row_sha256, ' ')
FROM predictions
WHERE is_active AND game_id >= $2 AND game_id < $3
GROUP BY batch_id = $1
