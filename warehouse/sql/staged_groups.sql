SELECT system_id, market, game_id, line_source, count(*)
FROM staged_rows
GROUP BY system_id, market, game_id, line_source
