-- $1 player, $2 spelling, $3 the spelling's own key, $4 now
UPDATE OR IGNORE injuries SET player_lookup = $3, player_resolved = 0, ingested_at = $4
WHERE player_lookup = $1 AND player_resolved AND player_name = $2
