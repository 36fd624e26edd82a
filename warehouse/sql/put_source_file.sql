-- A content that is read again adds what is new of it, and is refused only what the last reading refused.
INSERT INTO source_files
    (sha256, name, kind, size, rows_read, rows_new, rows_known, rows_refused, ingested_at, path)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (sha256) DO UPDATE SET
    name = excluded.name,
    kind = excluded.kind,
    rows_read = excluded.rows_read,
    rows_new = CASE
        WHEN source_files.rows_new > excluded.rows_known THEN excluded.rows_new + excluded.rows_known
        ELSE excluded.rows_new + source_files.rows_new
    END,
    rows_known = CASE
        WHEN source_files.rows_new > excluded.rows_known THEN 0
        ELSE excluded.rows_known - source_files.rows_new
    END,
    rows_refused = excluded.rows_refused,
    ingested_at = excluded.ingested_at,
    path = COALESCE(excluded.path, source_files.path)
