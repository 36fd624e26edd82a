-- Prolongs a lease by one length, at most until its deadline; nil when it is gone or its batch is not running.
-- ARGV: now, lease.
local lease = ARGV[2]
local known = call('HMGET', L(lease), 'batch', 'deadline_at')
if not known[1] then return false end
local record = call('HMGET', B(known[1]), 'state', 'lease_ms')
if record[1] ~= 'running' then return false end
local expires = math.min(NOW + record[2], tonumber(known[2]))
call('HSET', L(lease), 'expires_at', expires)
call('ZADD', P .. 'due', expires, 'lease:' .. lease)
wrote()
return expires
