-- One pass over what is due, at most so many entries; each is checked again where it is done. After a gap longer than
-- a lease every lease, opener and ticket first gets one full length from now.
-- ARGV: now, lease_ms, most entries, then key and time of each watched entry.
-- Answer: {requeued, ended, {batch, reason, ...}, {needs finalizer, ...}, {alarm, ...}, grace, more}.
local lease_ms, most = tonumber(ARGV[2]), tonumber(ARGV[3])
local requeued, ended, closed, need = 0, 0, {}, {}

local function give_grace()
  for _, key in ipairs(call('ZRANGE', P .. 'due', 0, -1)) do
    local kind, id = string.match(key, '^(%a+):(.*)$')
    if kind == 'lease' then
      local lease = call('HMGET', L(id), 'batch', 'expires_at', 'deadline_at')
      local length = tonumber(call('HGET', B(lease[1]), 'lease_ms') or 0)
      local expires = math.max(tonumber(lease[2]), NOW + length)
      call('HSET', L(id), 'expires_at', expires, 'deadline_at', math.max(tonumber(lease[3]), expires))
      call('ZADD', P .. 'due', expires, key)
    elseif kind == 'opener' then
      local till = NOW + call('HGET', B(id), 'finalizer_lease_ms')
      call('ZADD', P .. 'due', 'GT', till, key)
    elseif kind == 'ticket' then
      local record = call('HMGET', B(id), 'ticket_until', 'finalizer_lease_ms')
      if record[1] then
        local till = math.max(tonumber(record[1]), NOW + record[2])
        call('HSET', B(id), 'ticket_until', till)
        call('ZADD', P .. 'due', till, key)
      end
    end
  end
end

local last = call('HGET', P .. 'meta', 'last_sweep')
call('HSET', P .. 'meta', 'last_sweep', NOW)
local grace = last and math.abs(NOW - last) > lease_ms
if grace then give_grace() end

-- What is due by the clock, then what was watched: by time, then by key.
local due = {}
local found = call('ZRANGE', P .. 'due', '-inf', NOW, 'BYSCORE', 'LIMIT', 0, most + 1, 'WITHSCORES')
for n = 1, #found, 2 do due[#due + 1] = {found[n], found[n + 1]} end
local watched, seen = {}, {}
for n = 4, #ARGV, 2 do
  local key, at = ARGV[n], tonumber(ARGV[n + 1])
  local score = call('ZSCORE', P .. 'due', key)
  if at > NOW and not seen[key] and score and tonumber(score) == at then
    seen[key] = true
    watched[#watched + 1] = {key, score, at}
  end
end
table.sort(watched, function(a, b) return a[3] < b[3] or (a[3] == b[3] and a[1] < b[1]) end)
for _, entry in ipairs(watched) do due[#due + 1] = entry end

local function expire_lease(lease)
  local held = call('HMGET', L(lease), 'batch', 'chunk', 'seqs')
  call('DEL', L(lease))
  call('ZREM', P .. 'due', 'lease:' .. lease)
  local id = held[1]
  if not id then return end
  local record = call('HMGET', B(id), 'state', 'max_attempts')
  -- Closed: the drain ends its jobs.
  if record[1] ~= 'running' then return end
  local all, seqs = {}, {}
  for seq in string.gmatch(held[3], '%d+') do all[#all + 1] = seq end
  local holders = call('HMGET', B(id, 'leased'), unpack(all))
  for n, seq in ipairs(all) do
    if holders[n] == lease then seqs[#seqs + 1] = seq end
  end
  if #seqs == 0 then return end
  local charge = held[2] == '1' and 1 or 0
  local attempts = call('HMGET', B(id, 'attempts'), unpack(seqs))
  local queue, tried, pairs_, over = {}, {}, {}, {}
  for n, seq in ipairs(seqs) do
    local charged = tonumber(attempts[n] or 0) + charge
    if charge > 0 then
      tried[#tried + 1] = seq
      tried[#tried + 1] = charged
    end
    if charged >= tonumber(record[2]) then
      over[#over + 1] = seq
      pairs_[#pairs_ + 1] = seq
      pairs_[#pairs_ + 1] = store_record('lease', 'its lease was lost ' .. charged .. ' times while it was alone')
    else
      queue[#queue + 1] = NOW
      queue[#queue + 1] = seq
    end
  end
  log(id, 'lease lost: ' .. (#seqs - #over) .. ' jobs wait again, ' .. #over .. ' ended')
  call('HDEL', B(id, 'leased'), unpack(seqs))
  call('SADD', B(id, 'alone'), unpack(seqs))
  if #tried > 0 then call('HSET', B(id, 'attempts'), unpack(tried)) end
  if #queue > 0 then call('ZADD', B(id, 'queue'), unpack(queue)) end
  call('HSET', B(id), 'updated_at', NOW)
  end_jobs(id, pairs_, {lease = over}, 0)
  requeued = requeued + #seqs - #over
  ended = ended + #over
  if close_if_all_done(id) == 1 then
    closed[#closed + 1] = id
    closed[#closed + 1] = 'all_done'
  end
end

local function ask_for_finalizer(id)
  if call('HEXISTS', B(id), 'ticket') == 1 then
    call('HDEL', B(id), 'ticket', 'ticket_until')
    call('HINCRBY', B(id), 'strikes', 1)
    call('HSET', B(id), 'last_error', 'a finalizer was lost')
    log(id, 'finalizer lost: another one is needed')
  end
  call('ZADD', P .. 'due', NOW, 'ticket:' .. id)
  need[#need + 1] = id
end

for n = 1, math.min(most, #due) do
  local key, score = due[n][1], due[n][2]
  -- An earlier entry of this pass may have settled it.
  if call('ZSCORE', P .. 'due', key) == score then
    local kind, id = string.match(key, '^(%a+):(.*)$')
    if kind == 'lease' then
      expire_lease(id)
    elseif kind == 'ticket' then
      ask_for_finalizer(id)
    else
      local reason = kind == 'opener' and 'never_sealed' or 'finish_by'
      close_now(id, reason)
      closed[#closed + 1] = id
      closed[#closed + 1] = reason
    end
  end
end

local alarms = {}
for _, id in ipairs(call('HVALS', P .. 'slates')) do
  local placed = open_jobs(id)
  for _, code in ipairs(call('SMEMBERS', B(id, 'codes'))) do
    placed = placed + call('SCARD', B(id, 'done:' .. code))
  end
  if placed ~= call('HLEN', B(id, 'jobs')) then alarms[#alarms + 1] = id end
end
wrote()
return {requeued, ended, closed, need, alarms, grace and 1 or 0, #due > most and 1 or 0}
