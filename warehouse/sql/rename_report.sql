-- $1 the name's key, $2 the name, $3 team, $4 reported at, $5 the player, $6 now: from now on it says something about him.
UPDATE OR IGNORE injuries SET player_lookup = $5, player_resolved = 1, ingested_at = $6
WHERE player_lookup = $1 AND NOT player_resolved AND player_name = $2
    AND (team = $3 OR (team IS NULL AND $3 IS NULL)) AND reported_at = $4
