-- $1 reported at or after, $2 reported at or before. Among reports of one instant the one that came in last is last.
SELECT player_lookup, player_name, player_resolved, team, status, reported_at, note, ingested_at
FROM injuries
WHERE reported_at >= $1 AND reported_at <= $2
ORDER BY player_lookup, reported_at, injury_id
