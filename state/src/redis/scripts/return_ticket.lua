-- Gives a ticket back; with an error it is a strike. Another finalizer may try from the given time on.
-- ARGV: now, batch, ticket, retry at, 1 with an error, error.
local id = ARGV[2]
local record = call('HMGET', B(id), 'state', 'ticket')
if record[1] ~= 'finalizing' or record[2] ~= ARGV[3] then return 0 end
call('HDEL', B(id), 'ticket', 'ticket_until')
if ARGV[5] == '1' then
  call('HINCRBY', B(id), 'strikes', 1)
  call('HSET', B(id), 'last_error', ARGV[6])
  log(id, 'finalizer refused: ' .. ARGV[6])
end
call('ZADD', P .. 'due', ARGV[4], 'ticket:' .. id)
wrote()
return 1
