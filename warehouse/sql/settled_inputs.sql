SELECT player_lookup, game_id, inputs_sha256
FROM (
    SELECT o.player_lookup, o.game_id, o.inputs_sha256,
        row_number() OVER (PARTITION BY o.player_lookup, o.game_id ORDER BY o.generation DESC) AS place
    FROM job_outcomes o
    JOIN batches b ON b.batch_id = o.batch_id
    WHERE o.sport = $1 AND o.game_date = $2 AND b.state IN ('complete', 'partial')
        AND o.outcome IN ('predicted', 'rejected', 'skipped')
) newest
WHERE place = 1
