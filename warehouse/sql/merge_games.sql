ON CONFLICT (game_id) DO UPDATE SET
    league_game_id = COALESCE(excluded.league_game_id, games.league_game_id),
    season = excluded.season,
    phase = excluded.phase,
    tip_off = COALESCE(excluded.tip_off, games.tip_off),
    status = CASE
        WHEN excluded.status = 'scheduled' AND games.status IN ('in_progress', 'final') THEN games.status
        WHEN excluded.status = 'in_progress' AND games.status = 'final' THEN games.status
        ELSE excluded.status
    END,
    home_score = COALESCE(excluded.home_score, games.home_score),
    away_score = COALESCE(excluded.away_score, games.away_score),
    source_file = excluded.source_file,
    ingested_at = excluded.ingested_at
WHERE (
    games.league_game_id, games.season, games.phase, games.tip_off, games.status, games.home_score,
    games.away_score
) IS DISTINCT FROM (
    COALESCE(excluded.league_game_id, games.league_game_id),
    excluded.season,
    excluded.phase,
    COALESCE(excluded.tip_off, games.tip_off),
    CASE
        WHEN excluded.status = 'scheduled' AND games.status IN ('in_progress', 'final') THEN games.status
        WHEN excluded.status = 'in_progress' AND games.status = 'final' THEN games.status
        ELSE excluded.status
    END,
    COALESCE(excluded.home_score, games.home_score),
    COALESCE(excluded.away_score, games.away_score)
)
