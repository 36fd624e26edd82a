SELECT player_lookup, game_id, inputs_sha256
FROM (
    SELECT o.player_lookup, o.game_id, o.inputs_sha256,
        row_number() OVER (PARTITION BY o.player_lookup, o.game_id ORDER BY o.generation DESC) AS place
    FROM job_outcomes o
    WHERE o.sport = $1 AND o.game_date = $2
) newest
WHERE place = 1
