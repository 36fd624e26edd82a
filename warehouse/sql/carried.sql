-- $1 this batch's generation, $2 and $3 the range of the slate's game ids. The index of active rows knows the generation, so
-- that only rows of other batches are looked up.
SELECT p.game_id, p.player_lookup, p.market, p.system_id, p.batch_id
FROM predictions p
WHERE p.is_active
    AND p.game_id >= $2 AND p.game_id < $3
    AND p.generation <> $1
    AND (+p.game_id, +p.player_lookup) IN (SELECT game_id, player_lookup FROM staged_outcomes)
    AND (+p.market, +p.system_id) IN (SELECT market, system_id FROM staged_wanted)
ORDER BY p.game_id, p.player_lookup, p.market, p.system_id
