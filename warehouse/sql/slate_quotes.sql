-- $1 event, $2 market, $3 as of (inclusive), $4 tip-off (exclusive).
-- Each book's newest and earliest snapshot of a player, found by a walk along the primary key, then fetched by all of it:
-- CROSS JOIN keeps SQLite from walking every quote of the event instead, and so does asking twice: with IN it builds a set
-- for each book, with OR it reads each of a book's snapshots. One list for the whole event, not even sorted by player, and
-- only the main quotes, for nobody looks at alternates: handing over ten thousand rows of a dozen values cost three times as
-- much as finding them. The last two of a quote say whether it is the newest and whether it is the opening one.
WITH seen AS MATERIALIZED (
    SELECT player_lookup, book, max(snapshot_at) AS newest, min(snapshot_at) AS opening
    FROM lines
    WHERE event_id = $1 AND market = $2 AND snapshot_at <= $3 AND snapshot_at < $4
    GROUP BY player_lookup, book
)
SELECT '[' || coalesce(group_concat(quote), '') || ']'
FROM (
    SELECT json_array(
        l.player_lookup, l.player_name, l.player_resolved, l.book, l.half_points, l.over_price, l.under_price,
        l.snapshot_at, l.market_updated_at, l.source, 1, s.newest = s.opening
    ) AS quote
    FROM seen s
    CROSS JOIN lines l
    WHERE l.event_id = $1 AND l.market = $2 AND l.player_lookup = s.player_lookup AND l.book = s.book
        AND l.snapshot_at = s.newest AND l.is_main
    UNION ALL
    SELECT json_array(
        l.player_lookup, l.player_name, l.player_resolved, l.book, l.half_points, l.over_price, l.under_price,
        l.snapshot_at, l.market_updated_at, l.source, 0, 1
    )
    FROM seen s
    CROSS JOIN lines l
    WHERE l.event_id = $1 AND l.market = $2 AND l.player_lookup = s.player_lookup AND l.book = s.book
        AND l.snapshot_at = s.opening AND s.opening < s.newest AND l.is_main
)
