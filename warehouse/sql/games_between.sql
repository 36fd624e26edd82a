SELECT game_id, league_game_id, season, phase, tip_off, status, home_score, away_score
FROM games
WHERE game_date >= $1 AND game_date <= $2
ORDER BY game_date, game_id
