-- $1 sport, $2 date: newest outcomes, over the published batches, of players without a job in the staged batch.
SELECT o.player_lookup, o.game_id, o.name, o.outcome, o.code, o.sentence, o.codes, o.attempts, o.rows_owed,
    o.inputs_sha256, o.batch_id, o.generation, o.published, o.carried
FROM (
    SELECT j.*, row_number() OVER (PARTITION BY j.player_lookup, j.game_id ORDER BY j.generation DESC) AS place
    FROM job_outcomes j
    JOIN batches b ON b.batch_id = j.batch_id
    WHERE j.sport = $1 AND j.game_date = $2 AND b.state IN ('complete', 'partial')
        AND NOT EXISTS (
            SELECT 1 FROM staged_outcomes s WHERE s.game_id = j.game_id AND s.player_lookup = j.player_lookup
        )
) o
WHERE o.place = 1
ORDER BY o.player_lookup, o.game_id
