INSERT INTO slates (sport, game_date, last_generation) VALUES ($1, $2, 1)
ON CONFLICT (sport, game_date) DO UPDATE SET last_generation = slates.last_generation + 1
RETURNING last_generation
