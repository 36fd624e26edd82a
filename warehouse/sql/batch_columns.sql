SELECT batch_id, sport, game_date, generation, request, as_of, registered_at, withdrawn_at, withdrawn_reason, state,
    reason, sentence, announced_at, receipt
