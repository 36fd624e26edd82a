SELECT sha256, name, kind, size, rows_read, rows_new, rows_known, rows_refused, ingested_at
FROM source_files
WHERE sha256 = $1
