-- $1 event, $2 market, $3 as of (inclusive), $4 tip-off (exclusive).
-- Each book's newest and earliest snapshot of a player, found by a walk along the primary key, then fetched by it:
-- CROSS JOIN keeps SQLite from walking every quote of the event instead. One list for the whole event, not even sorted by
-- player, and only the main quotes, for nobody looks at alternates: handing over ten thousand rows of a dozen values cost
-- three times as much as finding them.
WITH seen AS MATERIALIZED (
    SELECT player_lookup, book, max(snapshot_at) AS newest, min(snapshot_at) AS opening
    FROM lines
    WHERE event_id = $1 AND market = $2 AND snapshot_at <= $3 AND snapshot_at < $4
    GROUP BY player_lookup, book
)
SELECT json_group_array(json_array(
    l.player_lookup, l.player_name, l.player_resolved, l.book, l.half_points, l.over_price, l.under_price, l.snapshot_at,
    l.market_updated_at, l.source, l.snapshot_at = s.newest, l.snapshot_at = s.opening
))
FROM seen s
CROSS JOIN lines l
WHERE l.event_id = $1 AND l.market = $2 AND l.player_lookup = s.player_lookup AND l.book = s.book
    AND (l.snapshot_at = s.newest OR l.snapshot_at = s.opening) AND l.is_main
