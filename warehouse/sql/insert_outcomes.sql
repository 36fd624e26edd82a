-- $1 batch, $2 sport, $3 date, $4 generation, $5 now, $6 whether it was published
INSERT INTO job_outcomes (
    batch_id, player_lookup, game_id, sport, game_date, generation, name, outcome, code, sentence, codes, attempts,
    rows_owed, published, carried, inputs_sha256, decided_at
)
SELECT
    $1, o.player_lookup, o.game_id, $2, $3, $4, o.name, o.outcome, o.code, o.sentence, o.codes, o.attempts,
    o.rows_owed,
    CASE WHEN $6 THEN (
        SELECT count(*) FROM staged_rows s WHERE s.game_id = o.game_id AND s.player_lookup = o.player_lookup
    ) ELSE 0 END,
    CASE WHEN $6 THEN (
        SELECT count(*) FROM predictions p
        WHERE p.is_active AND p.game_id = o.game_id AND p.player_lookup = o.player_lookup AND p.batch_id <> $1
            AND (p.market, p.system_id) IN (SELECT market, system_id FROM staged_wanted)
    ) ELSE 0 END,
    o.inputs_sha256, $5
FROM staged_outcomes o
