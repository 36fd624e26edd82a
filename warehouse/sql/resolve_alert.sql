UPDATE alerts SET resolved_at = $3 WHERE code = $1 AND subject = $2 AND resolved_at IS NULL
