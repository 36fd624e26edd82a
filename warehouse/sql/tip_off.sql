SELECT tip_off FROM games WHERE game_id = $1
