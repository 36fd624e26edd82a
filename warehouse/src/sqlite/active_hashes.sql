-- $1 this batch's generation, $2 the slate's date; one row for this batch, one for the others.
-- Joined in the database: thousands of hashes travel as two texts.
SELECT TRUE, count(*), group_concat(p.row_sha256, ' ')
FROM active_predictions a
CROSS JOIN published_predictions p
WHERE p.game_date = a.game_date AND p.generation = a.generation AND p.game_id = a.game_id
    AND p.player_lookup = a.player_lookup AND p.market = a.market AND p.system_id = a.system_id
    AND a.game_date = $2 AND a.generation = $1
HAVING count(*) > 0
UNION ALL
SELECT FALSE, count(*), group_concat(p.row_sha256, ' ')
FROM active_predictions a
CROSS JOIN published_predictions p
WHERE p.game_date = a.game_date AND p.generation = a.generation AND p.game_id = a.game_id
    AND p.player_lookup = a.player_lookup AND p.market = a.market AND p.system_id = a.system_id
    AND a.game_date = $2 AND a.generation <> $1
HAVING count(*) > 0
