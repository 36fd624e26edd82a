-- Removes a batch that is still filling and frees its slate. Unknown is withdrawn.
-- ARGV: now, batch, token.
local id, token = ARGV[2], ARGV[3]
local record = call('HMGET', B(id), 'state', 'token', 'slate')
if not record[1] then return {'withdrawn'} end
if record[2] ~= token then return {'token'} end
if record[1] ~= 'filling' then return {'state', record[1]} end
drop_jobs(id)
call('UNLINK', B(id), B(id, 'log'))
call('SREM', P .. 'batches', id)
call('HDEL', P .. 'slates', record[3])
call('ZREM', P .. 'due', 'opener:' .. id)
wrote()
return {'withdrawn'}
