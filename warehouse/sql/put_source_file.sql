INSERT INTO source_files
    (sha256, name, kind, size, rows_read, rows_new, rows_known, rows_refused, ingested_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (sha256) DO NOTHING
