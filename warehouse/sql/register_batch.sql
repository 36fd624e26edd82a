INSERT INTO batches (batch_id, sport, game_date, generation, opener, request, as_of, registered_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
