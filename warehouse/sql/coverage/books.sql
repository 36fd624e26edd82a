SELECT game_date, book, count(*) FROM lines WHERE game_date BETWEEN $1 AND $2 GROUP BY game_date, book
