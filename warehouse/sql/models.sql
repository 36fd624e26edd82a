SELECT system_id, market, sha256, role, engine, contract_version, training_start, training_end, card, first_seen_at
FROM models
ORDER BY system_id, market, first_seen_at
