SELECT o.player_lookup, o.game_id, o.name, o.outcome, o.code, o.sentence, o.codes, o.attempts, o.rows_owed,
    o.inputs_sha256, o.batch_id, o.generation, o.published, o.carried
FROM job_outcomes o
WHERE o.batch_id = $1
ORDER BY o.player_lookup, o.game_id
