SELECT game_id, book, home_spread_half_points, total_half_points, snapshot_at, source, ingested_at
FROM game_lines
WHERE game_date = $1 AND snapshot_at <= $2
ORDER BY game_id, book, snapshot_at
