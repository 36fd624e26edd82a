-- $1 this batch's generation, $2 and $3 the range of the slate's game ids, $4 its date; one row for this batch, one for the others.
-- This batch's rows are one stretch of the table; of the others the index of active rows knows which they are.
-- Joined in the database: thousands of hashes travel as two texts.
SELECT TRUE, count(*), group_concat(row_sha256, ' ')
FROM predictions
WHERE is_active AND game_date = $4 AND generation = $1
HAVING count(*) > 0
UNION ALL
SELECT FALSE, count(*), group_concat(row_sha256, ' ')
FROM predictions INDEXED BY predictions_active
WHERE is_active AND game_id >= $2 AND game_id < $3 AND generation <> $1
HAVING count(*) > 0
