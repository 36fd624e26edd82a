SELECT source, count(*), sum(is_player)
FROM (
    SELECT source, event_id, player_name, max(player_resolved) AS is_player
    FROM lines
    GROUP BY source, event_id, player_name
)
GROUP BY source
ORDER BY source
