SELECT game_date, count(*) FROM quarantine WHERE game_date BETWEEN $1 AND $2 GROUP BY game_date
