-- $1 the slate's date, $2 the opened contract, $3 reports from here on count.
-- `|| ''` keeps the date index out, so that the ingest index finds the few late rows at once.
WITH built AS (SELECT min(built_at) AS at FROM features WHERE game_date = $1 AND contract_version = $2)
SELECT built.at IS NOT NULL AND (
    EXISTS (SELECT 1 FROM player_games WHERE ingested_at > built.at AND game_date || '' < $1)
    OR EXISTS (SELECT 1 FROM team_games WHERE ingested_at > built.at AND game_date || '' < $1)
    OR EXISTS (SELECT 1 FROM games WHERE game_date = $1 AND ingested_at > built.at)
    OR EXISTS (SELECT 1 FROM game_lines WHERE game_date = $1 AND ingested_at > built.at)
    OR EXISTS (SELECT 1 FROM lines WHERE game_date = $1 AND ingested_at > built.at)
    OR EXISTS (SELECT 1 FROM injuries WHERE reported_at >= $3 AND ingested_at > built.at)
)
FROM built
