-- Makes the jobs claimable if exactly the expected number is there. A repeat gets `sealed` again.
-- ARGV: now, batch, token, generation, number of jobs.
local id, token, generation, num = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local record = call('HMGET', B(id), 'state', 'token', 'generation', 'opened_at', 'finish_by')
if not record[1] then return {'unknown'} end
if record[2] ~= token then return {'token'} end
if record[1] ~= 'filling' then
  -- A generation is only set by sealing, so a batch that has one was sealed, whatever came after.
  if record[3] ~= '0' then return {'sealed'} end
  return {'state', record[1]}
end
local have = call('HLEN', B(id, 'jobs'))
if have ~= num or have == 0 then return {'missing', have} end
call('HSET', B(id), 'state', 'running', 'generation', generation, 'updated_at', NOW)
log(id, 'sealed generation ' .. generation .. ' with ' .. ARGV[5] .. ' jobs')
call('ZREM', P .. 'due', 'opener:' .. id)
call('ZADD', P .. 'due', record[5], 'finish:' .. id)
call('ZADD', P .. 'running', record[4], id)
wrote()
return {'sealed'}
