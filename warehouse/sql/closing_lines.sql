-- $1 market, $2 first date, $3 last date.
-- Each book's newest main quote of a player strictly before tip-off, which is the earlier of schedule and vendor.
WITH pre_tip AS (
    SELECT l.event_id, l.player_lookup, l.book, l.snapshot_at, l.half_points, l.game_id
    FROM lines l
    LEFT JOIN games g ON g.game_id = l.game_id
    WHERE l.market = $1 AND l.game_date >= $2 AND l.game_date <= $3
        AND l.is_main AND l.player_resolved AND l.game_id IS NOT NULL
        AND l.book <> '' AND l.event_id <> ''
        AND l.snapshot_at < l.commence_time AND (g.tip_off IS NULL OR l.snapshot_at < g.tip_off)
        AND (l.market_updated_at IS NULL
            OR (l.market_updated_at < l.commence_time AND (g.tip_off IS NULL OR l.market_updated_at < g.tip_off)))
),
newest AS (
    SELECT game_id, player_lookup, book, max(snapshot_at) AS snapshot_at
    FROM pre_tip
    GROUP BY game_id, player_lookup, book
)
SELECT p.game_id, p.player_lookup, p.book, min(p.half_points)
FROM pre_tip p
JOIN newest n ON n.game_id = p.game_id AND n.player_lookup = p.player_lookup AND n.book = p.book
    AND n.snapshot_at = p.snapshot_at
GROUP BY p.game_id, p.player_lookup, p.book
