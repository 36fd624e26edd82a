-- $1 sport, $2 date: newest outcomes, over the published batches, of players without a job in the staged batch. There are
-- usually none: found in the index alone, whose order makes the players distinct, however many generations there were.
WITH missing AS MATERIALIZED (
    SELECT s.game_id, s.player_lookup
    FROM (SELECT DISTINCT game_id, player_lookup FROM job_outcomes WHERE game_date = $2) s
    WHERE NOT EXISTS (
        SELECT 1 FROM staged_outcomes t WHERE t.game_id = s.game_id AND t.player_lookup = s.player_lookup
    )
)
SELECT o.player_lookup, o.game_id, o.name, o.outcome, o.code, o.sentence, o.codes, o.attempts, o.rows_owed,
    o.inputs_sha256, o.batch_id, o.generation, o.published, o.carried
FROM (
    SELECT j.*, row_number() OVER (PARTITION BY j.player_lookup, j.game_id ORDER BY j.generation DESC) AS place
    FROM missing m
    CROSS JOIN job_outcomes j
    JOIN batches b ON b.batch_id = j.batch_id
    WHERE j.game_date = $2 AND j.game_id = m.game_id AND j.player_lookup = m.player_lookup
        AND j.sport = $1 AND b.state IN ('complete', 'partial')
) o
WHERE o.place = 1
ORDER BY o.player_lookup, o.game_id
