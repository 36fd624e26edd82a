-- $1 batch, $2 sport, $3 date, $4 state, $5 reason, $6 sentence, $7 receipt, $8 now.
-- An unregistered batch gets its row here, under generation 0, so that its id can never be registered again.
INSERT INTO batches (batch_id, sport, game_date, generation, state, reason, sentence, receipt, decided_at)
VALUES ($1, $2, $3, 0, $4, $5, $6, $7, $8)
ON CONFLICT (batch_id) DO UPDATE SET
    state = excluded.state,
    reason = excluded.reason,
    sentence = excluded.sentence,
    receipt = excluded.receipt,
    decided_at = excluded.decided_at
WHERE batches.state IS NULL
