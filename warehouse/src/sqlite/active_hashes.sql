-- $1 this batch's generation, $2 the slate's date: how many rows of this batch and of others are active, and their hashes.
-- Joined in the database: thousands of hashes travel as two values.
SELECT count(*) FILTER (WHERE a.generation = $1),
    CAST(group_concat(p.row_sha256, '') FILTER (WHERE a.generation = $1) AS BLOB),
    count(*) FILTER (WHERE a.generation <> $1),
    CAST(group_concat(p.row_sha256, '') FILTER (WHERE a.generation <> $1) AS BLOB)
FROM prediction_keys k
CROSS JOIN active_predictions a
CROSS JOIN published_predictions p
WHERE k.game_date = $2 AND a.key_no >= k.key_id << 16 AND a.key_no < (k.key_id + 1) << 16 AND p.row_no = a.row_no
