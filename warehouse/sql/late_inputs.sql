-- $1 built at, $2 results strictly before, $3 results from, $4 the slate's date, $5 as of
SELECT 'player ' || player_lookup, max(ingested_at)
FROM player_games
WHERE ingested_at > $1 AND game_date < $2 AND game_date >= $3
GROUP BY player_lookup
UNION ALL
SELECT 'team ' || team, max(ingested_at)
FROM team_games
WHERE ingested_at > $1 AND game_date < $2 AND game_date >= $3
GROUP BY team
UNION ALL
SELECT 'game ' || game_id, max(ingested_at)
FROM game_lines
WHERE ingested_at > $1 AND game_date = $4 AND snapshot_at <= $5
GROUP BY game_id
