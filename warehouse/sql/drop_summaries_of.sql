DELETE FROM line_summaries WHERE event_id = $1 AND player_lookup = $2
