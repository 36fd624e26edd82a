-- Removes a delivered event; 0 when it is not there.
-- ARGV: now, event id.
local event = ARGV[2]
local there = call('HDEL', P .. 'outbox', event)
call('HDEL', P .. 'outbox:tries', event)
call('HDEL', P .. 'outbox:dead', event)
call('ZREM', P .. 'outbox:due', event)
call('ZREM', P .. 'outbox:gone', event)
wrote()
return there
