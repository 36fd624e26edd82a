SELECT DISTINCT snapshot_at, market FROM lines WHERE game_date BETWEEN $1 AND $2
