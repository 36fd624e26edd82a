-- $1 batch, $2 sport, $3 date, $4 generation, $5 now, $6 whether it was published, $7 and $8 the range of the slate's game ids
WITH published AS (
    SELECT game_id, player_lookup, count(*) AS num_rows
    FROM staged_rows
    WHERE $6
    GROUP BY game_id, player_lookup
),
-- As in carried.sql.
carried AS (
    SELECT p.game_id, p.player_lookup, count(*) AS num_rows
    FROM predictions p
    WHERE $6 AND p.is_active
        AND p.game_id >= $7 AND p.game_id < $8
        AND p.generation <> $4
        AND (+p.market, +p.system_id) IN (SELECT market, system_id FROM staged_wanted)
    GROUP BY p.game_id, p.player_lookup
)
INSERT INTO job_outcomes (
    batch_id, player_lookup, game_id, sport, game_date, generation, name, outcome, code, sentence, codes, attempts,
    rows_owed, published, carried, inputs_sha256, decided_at
)
SELECT
    $1, o.player_lookup, o.game_id, $2, $3, $4, o.name, o.outcome, o.code, o.sentence, o.codes, o.attempts,
    o.rows_owed, coalesce(p.num_rows, 0), coalesce(c.num_rows, 0), o.inputs_sha256, $5
FROM staged_outcomes o
LEFT JOIN published p ON p.game_id = o.game_id AND p.player_lookup = o.player_lookup
LEFT JOIN carried c ON c.game_id = o.game_id AND c.player_lookup = o.player_lookup
