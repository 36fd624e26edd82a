-- Copies a verdict: batch ended, slate free, event in the outbox, in one O(1) step. The first copy stands.
-- ARGV: now, batch, end state, receipt, event id, event.
local id, state = ARGV[2], ARGV[3]
local record = call('HMGET', B(id), 'state', 'slate')
if not record[1] then return {'unknown'} end
if not is_open(record[1]) then
  if record[1] == state then return {'already'} end
  return {'conflict', record[1]}
end
call('HSET', B(id), 'state', state, 'receipt', ARGV[4], 'updated_at', NOW)
call('HDEL', B(id), 'ticket', 'ticket_until')
log(id, 'ended: ' .. state)
call('HDEL', P .. 'slates', record[2])
call('ZREM', P .. 'running', id)
call('ZREM', P .. 'due', 'opener:' .. id, 'finish:' .. id, 'ticket:' .. id)
put_event(ARGV[5], ARGV[6])
wrote()
return {'ended'}
