-- $1 date: events with quotes before tip-off, of which no snapshot was summed up.
SELECT count(DISTINCT l.event_id) FROM lines l
WHERE l.game_date = $1 AND l.is_main AND l.player_resolved AND l.tag IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM line_summaries s WHERE s.event_id = l.event_id)
