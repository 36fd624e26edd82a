-- $1 event
SELECT market, snapshot_at, min(commence_time), CASE WHEN count(tag) = count(*) THEN min(tag) END,
    min(minutes_before_tip),
    min(COALESCE(tag, '')) = max(COALESCE(tag, '')) AND min(minutes_before_tip) = max(minutes_before_tip)
FROM lines
WHERE event_id = $1
GROUP BY market, snapshot_at
ORDER BY market, snapshot_at
