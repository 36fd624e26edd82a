-- $1 date, $2 as of: each event as its newest snapshot describes it, since a game may be moved within its day.
-- The events are found by jumping from one to the next along the index: a slate has a dozen of them in fifty thousand quotes.
WITH RECURSIVE seen (event_id) AS (
    SELECT min(event_id) FROM lines WHERE game_date = $1
    UNION ALL
    SELECT (SELECT min(l.event_id) FROM lines l WHERE l.game_date = $1 AND l.event_id > s.event_id)
    FROM seen s
    WHERE s.event_id IS NOT NULL
),
newest AS (
    SELECT s.event_id, (
        SELECT max(l.snapshot_at) FROM lines l
        WHERE l.game_date = $1 AND l.event_id = s.event_id AND l.snapshot_at <= $2
    ) AS snapshot_at
    FROM seen s
    WHERE s.event_id IS NOT NULL
)
SELECT n.event_id,
    (SELECT l.game_id FROM lines l
     WHERE l.game_date = $1 AND l.event_id = n.event_id AND l.snapshot_at = n.snapshot_at LIMIT 1),
    -- Two files may describe one snapshot: the earlier time counts, here as in `event_snapshots.sql`.
    (SELECT min(l.commence_time) FROM lines l
     WHERE l.game_date = $1 AND l.event_id = n.event_id AND l.snapshot_at = n.snapshot_at)
FROM newest n
WHERE n.snapshot_at IS NOT NULL
ORDER BY n.event_id
