SELECT source, body, error, received_at FROM dead_letters ORDER BY dead_letter_id DESC LIMIT $1
