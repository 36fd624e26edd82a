INSERT INTO alerts (code, level, sentence, subject, raised_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (code, subject) WHERE resolved_at IS NULL DO NOTHING
