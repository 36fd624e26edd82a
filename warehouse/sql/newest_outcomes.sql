SELECT o.player_lookup, o.game_id, o.name, o.outcome, o.code, o.sentence, o.codes, o.attempts, o.rows_owed,
    o.inputs_sha256, o.batch_id, o.generation, o.published, o.carried
FROM (
    SELECT j.*, row_number() OVER (PARTITION BY j.player_lookup, j.game_id ORDER BY j.generation DESC) AS place
    FROM job_outcomes j
    JOIN batches b ON b.batch_id = j.batch_id
    WHERE j.sport = $1 AND j.game_date = $2 AND b.state IN ('complete', 'partial')
) o
WHERE o.place = 1
ORDER BY o.player_lookup, o.game_id
