SELECT last_generation, published_generation, published_batch_id FROM slates WHERE sport = $1 AND game_date = $2
