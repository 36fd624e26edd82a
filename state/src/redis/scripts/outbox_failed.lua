-- Counts a failed delivery: tried again from the given time on, a dead letter after so many. 1 when it is one.
-- ARGV: now, event id, error, retry at, most deliveries.
local event = ARGV[2]
if call('HEXISTS', P .. 'outbox', event) == 0 then return 0 end
wrote()
if call('HINCRBY', P .. 'outbox:tries', event, 1) >= tonumber(ARGV[5]) then
  call('HSET', P .. 'outbox:dead', event, ARGV[3])
  call('ZREM', P .. 'outbox:due', event)
  call('ZADD', P .. 'outbox:gone', ARGV[4], event)
  return 1
end
call('ZADD', P .. 'outbox:due', ARGV[4], event)
return 0
