-- $1 date, $2 as of: each event as its newest snapshot describes it, since a game may be moved within its day.
WITH newest AS (
    SELECT event_id, max(snapshot_at) AS snapshot_at
    FROM lines
    WHERE game_date = $1 AND snapshot_at <= $2
    GROUP BY event_id
)
SELECT n.event_id,
    (SELECT l.game_id FROM lines l
     WHERE l.game_date = $1 AND l.event_id = n.event_id AND l.snapshot_at = n.snapshot_at LIMIT 1),
    (SELECT l.commence_time FROM lines l
     WHERE l.game_date = $1 AND l.event_id = n.event_id AND l.snapshot_at = n.snapshot_at LIMIT 1)
FROM newest n
ORDER BY n.event_id
