SELECT batch_id, sport, game_date, generation, request, as_of, registered_at, withdrawn_at, withdrawn_reason, state,
    reason, sentence, announced_at, receipt
FROM batches
WHERE state IS NULL AND withdrawn_at IS NULL
ORDER BY batch_id
