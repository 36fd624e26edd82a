UPDATE slates SET published_generation = $3, published_batch_id = $4
WHERE sport = $1 AND game_date = $2 AND published_generation <= $3
