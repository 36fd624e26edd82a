SELECT game_id, player_lookup, player_name, league_player_id, team, opponent, is_home, season, phase, minutes,
    points, rebounds, assists, threes, fgm, fga, fg3a, ftm, fta, oreb, dreb, stl, blk, tov, pf, plus_minus,
    ingested_at
FROM player_games
WHERE game_date >= $1 AND game_date < $2
ORDER BY player_lookup, game_date
