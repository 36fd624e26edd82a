SELECT batch_id, sport, game_date, generation, request, as_of, registered_at, withdrawn_at, withdrawn_reason, state,
    reason, sentence, announced_at, receipt
FROM batches
WHERE ($1 IS NULL OR game_date = $1) AND ($2 IS NULL OR state = $2)
    AND ($3 IS NULL OR (COALESCE(registered_at, decided_at), batch_id)
        < (SELECT COALESCE(registered_at, decided_at), batch_id FROM batches WHERE batch_id = $3))
ORDER BY COALESCE(registered_at, decided_at) DESC, batch_id DESC
LIMIT $4
