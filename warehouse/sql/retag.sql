-- $1 event, $2 market, $3 snapshot, $4 tag, $5 minutes before tip-off. When the row went in stays as it is: nothing about
-- the quote changed.
UPDATE lines SET tag = $4, minutes_before_tip = $5
WHERE event_id = $1 AND market = $2 AND snapshot_at = $3 AND (tag IS NOT $4 OR minutes_before_tip <> $5)
