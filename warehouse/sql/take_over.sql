-- $1 the slate's date, $2 this batch's generation. A key without an active row gets one, one with an older row's gives way.
INSERT INTO active_predictions (game_date, game_id, player_lookup, market, system_id, generation)
SELECT $1, game_id, player_lookup, market, system_id, $2 FROM staged_rows WHERE TRUE
ON CONFLICT (game_date, game_id, player_lookup, market, system_id) DO UPDATE SET generation = excluded.generation
