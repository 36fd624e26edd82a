SELECT source_file, line_number, code, sentence, excerpt, game_date
FROM quarantine
WHERE $1 IS NULL OR game_date = $1
ORDER BY quarantine_id DESC
LIMIT $2
