SELECT q.quarantine_id, q.source_file, q.line_number, q.code, q.sentence, q.excerpt, q.game_date, q.sha256, f.path,
    q.ingested_at
FROM quarantine q
LEFT JOIN source_files f ON f.sha256 = q.sha256
WHERE $1 IS NULL OR q.game_date = $1
ORDER BY q.quarantine_id DESC
LIMIT $2
