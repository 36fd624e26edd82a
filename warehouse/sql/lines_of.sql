-- $1 date, $2 market, $3 as of
SELECT event_id, book, market, player_lookup, player_name, player_resolved, half_points, snapshot_at, game_id,
    game_date, commence_time, over_price, under_price, is_main, tag, minutes_before_tip, market_updated_at,
    source, ingested_at
FROM lines
WHERE game_date = $1 AND market = $2 AND snapshot_at <= $3
ORDER BY player_lookup, event_id, book, snapshot_at, half_points
