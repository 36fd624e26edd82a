-- Grants the finalizer's ticket, or prolongs it for its holder. Taking over an expired one is a strike.
-- ARGV: now, batch, ticket.
local id, ticket = ARGV[2], ARGV[3]
local record = call('HMGET', B(id), 'state', 'ticket', 'ticket_until', 'finalizer_lease_ms')
if not record[1] then return {'unknown'} end
if record[1] ~= 'finalizing' then return {'state', record[1]} end
if record[2] and record[2] ~= ticket then
  if tonumber(record[3]) > NOW then return {'busy', tonumber(record[3])} end
  call('HINCRBY', B(id), 'strikes', 1)
  call('HSET', B(id), 'last_error', 'a finalizer was lost')
end
local till = NOW + record[4]
call('HSET', B(id), 'ticket', ticket, 'ticket_until', till)
call('ZADD', P .. 'due', till, 'ticket:' .. id)
wrote()
local after = call('HMGET', B(id), 'strikes', 'last_error')
return {'granted', till, closing_of(id), open_jobs(id), tonumber(after[1]), after[2]}
