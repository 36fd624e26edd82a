SELECT team, league_team_id, full_name, nickname FROM teams ORDER BY team
