SELECT q.quarantine_id, q.source_file, q.line_number, q.code, q.sentence, q.excerpt, q.game_date, q.sha256, f.path,
    q.ingested_at
FROM quarantine q
LEFT JOIN source_files f ON f.sha256 = q.sha256
WHERE q.quarantine_id = $1
