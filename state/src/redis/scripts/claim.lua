-- Hands out due jobs of the oldest running batch that the worker can serve, all under one new lease. A repeat with the
-- same lease gets what it still holds. Nothing is handed out from finish-by on. A lonely job goes by itself.
-- ARGV: now, lease, worker, 1 if the protocol version fits, most jobs, then the worker's pins.
local lease, worker, most = ARGV[2], ARGV[3], tonumber(ARGV[5])

-- What goes to the worker: batch, contract, expiry, deadline, timing, numbers, records, attempts (empty if none).
local function chunk(id, expires, deadline, seqs)
  local record = call('HMGET', B(id), 'contract', 'timing')
  local attempts = {}
  if call('HLEN', B(id, 'attempts')) > 0 and #seqs > 0 then
    attempts = call('HMGET', B(id, 'attempts'), unpack(seqs))
  end
  local bodies = #seqs > 0 and call('HMGET', B(id, 'jobs'), unpack(seqs)) or {}
  return {'chunk', id, record[1], expires, deadline, record[2], seqs, bodies, attempts}
end

local known = call('HMGET', L(lease), 'batch', 'expires_at', 'deadline_at', 'seqs')
if known[1] then
  local all, seqs = {}, {}
  for seq in string.gmatch(known[4], '%d+') do all[#all + 1] = seq end
  local holders = call('HMGET', B(known[1], 'leased'), unpack(all))
  for n, seq in ipairs(all) do
    if holders[n] == lease then seqs[#seqs + 1] = seq end
  end
  wrote()
  return chunk(known[1], tonumber(known[2]), tonumber(known[3]), seqs)
end

local serves = {}
for n = 6, #ARGV do serves[ARGV[n]] = true end

local function served(pins)
  if ARGV[4] ~= '1' then return false end
  for pin in string.gmatch(pins, '[^\n]+') do
    if not serves[pin] then return false end
  end
  return true
end

-- The due jobs in order of their time: a prefix of the queue, cut at the first lonely one.
local function due_jobs(id)
  if most == 0 then return {} end
  local seqs = call('ZRANGE', B(id, 'queue'), '-inf', NOW, 'BYSCORE', 'LIMIT', 0, most)
  if #seqs == 0 or call('SCARD', B(id, 'alone')) == 0 then return seqs end
  local alone = call('SMISMEMBER', B(id, 'alone'), unpack(seqs))
  local picked = {}
  for n, seq in ipairs(seqs) do
    if alone[n] == 1 and n > 1 then break end
    picked[n] = seq
    if alone[n] == 1 then break end
  end
  return picked
end

local next_at, unservable = false, 0
for _, id in ipairs(call('ZRANGE', P .. 'running', 0, -1)) do
  local record = call('HMGET', B(id), 'finish_by', 'pin_list', 'lease_ms', 'job_deadline_ms')
  local first = call('ZRANGE', B(id, 'queue'), 0, 0, 'WITHSCORES')
  if NOW < tonumber(record[1]) and #first > 0 then
    if not served(record[2]) then
      unservable = 1
    else
      local seqs = due_jobs(id)
      if #seqs == 0 then
        local at = tonumber(first[2])
        if not next_at or at < next_at then next_at = at end
      else
        call('ZREMRANGEBYRANK', B(id, 'queue'), 0, #seqs - 1)
        local leased, sorted = {}, true
        for n, seq in ipairs(seqs) do
          leased[2 * n - 1] = seq
          leased[2 * n] = lease
          if n > 1 and seqs[n - 1] > seq then sorted = false end
        end
        if not sorted then table.sort(seqs) end
        call('HSET', B(id, 'leased'), unpack(leased))
        local expires, deadline = NOW + record[3], NOW + record[4]
        call('HSET', L(lease), 'batch', id, 'worker', worker, 'claimed_at', NOW, 'expires_at', expires,
          'deadline_at', deadline, 'chunk', #seqs, 'held', #seqs, 'seqs', table.concat(seqs, ' '))
        call('ZADD', P .. 'due', expires, 'lease:' .. lease)
        call('HSET', B(id), 'updated_at', NOW)
        wrote()
        return chunk(id, expires, deadline, seqs)
      end
    end
  end
end
return {'nothing', next_at, unservable}
