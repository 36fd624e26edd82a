-- $1 batch, $2 sport, $3 date, $4 generation, $5 now, $6 whether it was published, $7 whether it left any row of another batch active
WITH carried AS (
    SELECT k.game_id, k.player_lookup, count(*) AS num_rows
    FROM prediction_keys k
    CROSS JOIN active_predictions a
    CROSS JOIN prediction_systems y
    WHERE $7 AND k.game_date = $3
        AND a.key_no >= k.key_id << 16 AND a.key_no < (k.key_id + 1) << 16
        AND a.generation <> $4
        AND y.system_no = a.system_no
        AND (k.market, y.system_id) IN (SELECT market, system_id FROM staged_wanted)
    GROUP BY k.game_id, k.player_lookup
)
INSERT INTO job_outcomes (
    batch_id, player_lookup, game_id, sport, game_date, generation, name, outcome, code, sentence, codes, attempts,
    rows_owed, published, carried, inputs_sha256, decided_at
)
SELECT
    $1, o.player_lookup, o.game_id, $2, $3, $4, o.name, o.outcome, o.code, o.sentence, o.codes, o.attempts,
    o.rows_owed,
    CASE WHEN $6 AND o.game_id NOT IN (SELECT game_id FROM staged_started) THEN o.rows_staged ELSE 0 END,
    coalesce(c.num_rows, 0), o.inputs_sha256, $5
FROM staged_outcomes o
LEFT JOIN carried c ON c.game_id = o.game_id AND c.player_lookup = o.player_lookup
