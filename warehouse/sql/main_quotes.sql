-- $1 event, $2 first snapshot, $3 last snapshot
SELECT market, player_lookup, snapshot_at, book, half_points, over_price, under_price
FROM lines
WHERE event_id = $1 AND snapshot_at >= $2 AND snapshot_at <= $3 AND is_main AND player_resolved
ORDER BY market, player_lookup, book, snapshot_at, half_points
