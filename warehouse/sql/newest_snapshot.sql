SELECT max(snapshot_at) FROM lines
WHERE game_date = $1 AND event_id = $2 AND snapshot_at <= $3 AND snapshot_at < $4
