DELETE FROM line_summaries WHERE event_id = $1 AND snapshot_at >= $2
