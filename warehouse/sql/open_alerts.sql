SELECT code, level, sentence, subject, raised_at FROM alerts WHERE resolved_at IS NULL ORDER BY alert_id
