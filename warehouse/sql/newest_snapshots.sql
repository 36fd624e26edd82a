-- $1 date, $2 as of (inclusive), $3 events, a JSON list of [id, tip-off (exclusive)]: each one's newest snapshot.
SELECT e.value ->> 0, (
    SELECT max(l.snapshot_at) FROM lines l
    WHERE l.game_date = $1 AND l.event_id = e.value ->> 0 AND l.snapshot_at <= $2 AND l.snapshot_at < e.value ->> 1
)
FROM json_each($3) e
