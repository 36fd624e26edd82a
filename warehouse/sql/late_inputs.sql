-- $1 built at, $2 results strictly before, $3 the slate's date, $4 as of.
-- Usually there are none: `|| ''` and `+` keep the indexes of dates and players out, so that the ingest index finds that
-- at once.
SELECT 'player ' || player_lookup, max(ingested_at)
FROM player_games
WHERE ingested_at > $1 AND game_date || '' < $2
GROUP BY +player_lookup
UNION ALL
SELECT 'team ' || team, max(ingested_at)
FROM team_games
WHERE ingested_at > $1 AND game_date || '' < $2
GROUP BY +team
UNION ALL
SELECT 'game ' || game_id, max(ingested_at)
FROM game_lines
WHERE ingested_at > $1 AND game_date = $3 AND snapshot_at <= $4
GROUP BY game_id
