-- Prolongs a ticket for its holder only; nil when it is gone.
-- ARGV: now, batch, ticket.
local id = ARGV[2]
local record = call('HMGET', B(id), 'state', 'ticket', 'finalizer_lease_ms')
if record[1] ~= 'finalizing' or record[2] ~= ARGV[3] then return false end
local till = NOW + record[3]
call('HSET', B(id), 'ticket_until', till)
call('ZADD', P .. 'due', till, 'ticket:' .. id)
wrote()
return till
