-- $1 this batch's generation, $2 the slate's date
SELECT a.game_id, a.player_lookup, a.market, a.system_id, l.batch_id
FROM active_predictions a
CROSS JOIN published_lines l
WHERE l.game_date = a.game_date AND l.generation = a.generation AND l.game_id = a.game_id
    AND l.player_lookup = a.player_lookup AND l.market = a.market
    AND a.game_date = $2
    AND a.generation <> $1
    AND (+a.game_id, +a.player_lookup) IN (SELECT game_id, player_lookup FROM staged_outcomes)
    AND (+a.market, +a.system_id) IN (SELECT market, system_id FROM staged_wanted)
ORDER BY a.game_id, a.player_lookup, a.market, a.system_id
