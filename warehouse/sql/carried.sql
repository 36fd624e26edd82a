-- $1 this batch's generation, $2 the slate's date
SELECT k.game_id, k.player_lookup, k.market, y.system_id, l.batch_id
FROM prediction_keys k
CROSS JOIN active_predictions a
CROSS JOIN prediction_systems y
CROSS JOIN published_lines l
WHERE k.game_date = $2
    AND a.key_no >= k.key_id << 16 AND a.key_no < (k.key_id + 1) << 16
    AND y.system_no = a.system_no
    AND a.generation <> $1
    AND l.line_id = a.line_id
    AND (k.game_id, k.player_lookup) IN (SELECT game_id, player_lookup FROM staged_outcomes)
    AND (k.market, y.system_id) IN (SELECT market, system_id FROM staged_wanted)
ORDER BY k.game_id, k.player_lookup, k.market, y.system_id
