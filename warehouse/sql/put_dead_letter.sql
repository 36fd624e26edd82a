INSERT INTO dead_letters (source, body, error, received_at) VALUES ($1, $2, $3, $4)
