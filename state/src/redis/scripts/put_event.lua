-- Puts an event into the outbox unless one of this id waits or is a dead letter there.
-- ARGV: now, event id, event.
put_event(ARGV[2], ARGV[3])
wrote()
return 1
