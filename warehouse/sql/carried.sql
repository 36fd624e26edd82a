-- $1 this batch's generation, $2 the slate's date
SELECT k.game_id, k.player_lookup, k.market, a.system_id, l.batch_id
FROM prediction_keys k
CROSS JOIN active_predictions a
CROSS JOIN published_lines l
WHERE k.game_date = $2
    AND a.key_id = k.key_id
    AND a.generation <> $1
    AND l.line_id = a.line_id
    AND (k.game_id, k.player_lookup) IN (SELECT game_id, player_lookup FROM staged_outcomes)
    AND (k.market, a.system_id) IN (SELECT market, system_id FROM staged_wanted)
ORDER BY k.game_id, k.player_lookup, k.market, a.system_id
