SELECT game_id, team, count(*) FROM player_games WHERE game_date BETWEEN $1 AND $2 GROUP BY game_id, team
