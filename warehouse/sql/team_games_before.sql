SELECT game_id, team, opponent, is_home, season, phase, won, minutes, points, fga, fta, oreb, tov, plus_minus,
    ingested_at
FROM team_games
WHERE game_date >= $1 AND game_date < $2
ORDER BY team, game_date
