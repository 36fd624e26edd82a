-- Forgets an ended batch whose end event is not waiting any more.
-- ARGV: now, batch.
local id = ARGV[2]
local state = call('HGET', B(id), 'state')
if not state or is_open(state) or call('ZSCORE', P .. 'outbox:due', id .. '/end') then return 0 end
drop_jobs(id)
call('UNLINK', B(id), B(id, 'log'))
call('SREM', P .. 'batches', id)
wrote()
return 1
