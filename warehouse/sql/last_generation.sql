SELECT last_generation FROM slates WHERE sport = $1 AND game_date = $2
