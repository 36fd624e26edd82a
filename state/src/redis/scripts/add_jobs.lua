-- Adds jobs, all or none, and renews the opener's lease. Jobs that are there with equal bytes are passed over.
-- ARGV: now, batch, token, most jobs of a batch, then name and record (name, NUL, payload) of each job.
local id, token, most = ARGV[2], ARGV[3], tonumber(ARGV[4])
local record = call('HMGET', B(id), 'state', 'token', 'finalizer_lease_ms')
if not record[1] then return {'unknown'} end
if record[2] ~= token then return {'token'} end
if record[1] ~= 'filling' then return {'state', record[1]} end

local names, num = {}, (#ARGV - 4) / 2
for n = 1, num do names[n] = ARGV[3 + 2 * n] end
local total = call('HLEN', B(id, 'jobs'))
local queue, jobs, index, added = {}, {}, {}, {}
if num > 0 then
  local seqs = call('HMGET', B(id, 'names'), unpack(names))
  for n = 1, num do
    local name, body = names[n], ARGV[4 + 2 * n]
    local known = added[name] or (seqs[n] and call('HGET', B(id, 'jobs'), seqs[n]))
    if known then
      if known ~= body then return {'duplicate', name} end
    else
      local seq = string.format('%06d', total + #queue / 2)
      added[name] = body
      queue[#queue + 1] = NOW
      queue[#queue + 1] = seq
      jobs[#jobs + 1] = seq
      jobs[#jobs + 1] = body
      index[#index + 1] = name
      index[#index + 1] = seq
    end
  end
end
local new = #queue / 2
if total + new > most then return {'many'} end
if new > 0 then
  call('ZADD', B(id, 'queue'), unpack(queue))
  call('HSET', B(id, 'jobs'), unpack(jobs))
  call('HSET', B(id, 'names'), unpack(index))
end
call('HSET', B(id), 'updated_at', NOW)
call('ZADD', P .. 'due', NOW + record[3], 'opener:' .. id)
wrote()
return {'added', new, total + new}
