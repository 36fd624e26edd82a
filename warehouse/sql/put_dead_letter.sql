-- Once, however often it comes and whoever gives it up: two instances may find the same message hopeless.
INSERT INTO dead_letters (source, body, error, received_at)
SELECT $1, $2, $3, $4
WHERE NOT EXISTS (
    SELECT 1 FROM dead_letters WHERE source = $1 AND body = $2 AND error = $3 AND replayed_at IS NULL
)
