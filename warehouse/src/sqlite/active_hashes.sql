-- $1 this batch's generation, $2 the slate's date: how many rows of this batch and of others are active, and their hashes.
-- Joined in the database: thousands of hashes travel as two texts.
SELECT count(*) FILTER (WHERE a.generation = $1), group_concat(p.row_sha256, ' ') FILTER (WHERE a.generation = $1),
    count(*) FILTER (WHERE a.generation <> $1), group_concat(p.row_sha256, ' ') FILTER (WHERE a.generation <> $1)
FROM prediction_keys k
CROSS JOIN active_predictions a
CROSS JOIN published_predictions p
WHERE k.game_date = $2 AND a.key_id = k.key_id AND p.line_id = a.line_id AND p.system_id = a.system_id
