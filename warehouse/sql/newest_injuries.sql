-- Among reports of one instant the one that came in last counts.
SELECT player_lookup, player_name, player_resolved, team, status, reported_at, note
FROM (
    SELECT i.*, row_number() OVER (PARTITION BY player_lookup ORDER BY reported_at DESC, injury_id DESC) AS place
    FROM injuries i
    WHERE reported_at <= $1
) newest
WHERE place = 1
