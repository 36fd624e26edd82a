-- $1 date. A file is there for what it gave and for what was refused of it.
WITH about AS (
    SELECT sha256, rows_used, 0 AS rows_quarantined FROM source_file_dates WHERE game_date = $1
    UNION ALL
    SELECT sha256, 0, count(*) FROM quarantine WHERE game_date = $1 AND sha256 IS NOT NULL GROUP BY sha256
)
SELECT f.sha256, f.name, f.kind, f.size, f.rows_read, f.rows_new, f.rows_known, f.rows_refused, f.ingested_at, f.path,
    sum(a.rows_used), sum(a.rows_quarantined)
FROM about a
JOIN source_files f ON f.sha256 = a.sha256
GROUP BY f.sha256
ORDER BY f.ingested_at, f.name
