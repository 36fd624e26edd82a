-- Shared by all scripts. KEYS[1] is the shard's prefix, e.g. `tipoff:{s0}:`; every key is made from it, so that all
-- share one slot. ARGV[1] is the time of the call in milliseconds, or empty for the server's own clock.
-- What the keys hold stands in redis/keys.rs. Numbers of jobs are six digits, so that text order is number order.
local call, P = redis.call, KEYS[1]
local NOW = tonumber(ARGV[1])
if not NOW then
  local time = call('TIME')
  NOW = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The key of a batch's record, or of one of its parts.
local function B(id, part)
  if part then return P .. 'b:' .. id .. ':' .. part end
  return P .. 'b:' .. id
end

local function L(lease) return P .. 'lease:' .. lease end

local function wrote() call('HINCRBY', P .. 'meta', 'writes', 1) end

local function log(id, text)
  local key = B(id, 'log')
  call('RPUSH', key, string.format('%.0f %s', NOW, text))
  call('LTRIM', key, -1000, -1)
end

local function open_jobs(id) return call('ZCARD', B(id, 'queue')) + call('HLEN', B(id, 'leased')) end

-- Jobs leave a lease; an empty one goes, and its due entry with it. A lease that is gone already stays gone.
local function leave_lease(lease, count)
  if count == 0 or call('EXISTS', L(lease)) == 0 then return end
  if call('HINCRBY', L(lease), 'held', -count) <= 0 then
    call('DEL', L(lease))
    call('ZREM', P .. 'due', 'lease:' .. lease)
  end
end

-- The record of an ended job, as record.rs reads it: lease, digest, code, rows, note, body.
local NOBODY = string.rep('-', 32)
local function store_record(code, note)
  return NOBODY .. struct.pack('>I2', 0) .. struct.pack('>I2', #code) .. code .. struct.pack('>I4I4', 0, #note) .. note
end

-- Ends jobs: the one function that does, called by completion, retry, sweep and drain. `pairs_` is
-- {number, record, ...}, `by_code` is {code = {number, ...}}. The caller has taken them off queue or leased.
local function end_jobs(id, pairs_, by_code, rows)
  if #pairs_ == 0 then return end
  call('HSET', B(id, 'done'), unpack(pairs_))
  for code, seqs in pairs(by_code) do
    call('SADD', B(id, 'done:' .. code), unpack(seqs))
    call('SADD', B(id, 'codes'), code)
  end
  if rows > 0 then call('HINCRBY', B(id), 'staged_rows', rows) end
  call('HSET', B(id), 'updated_at', NOW)
end

-- Closes a batch, whatever its size; the caller has checked that it may.
local function close_now(id, reason, floor)
  local old = call('HMGET', B(id), 'min_coverage', 'whole_slate')
  call('HSET', B(id), 'state', 'finalizing', 'closing_reason', reason, 'closing_mode', REASONS[reason].mode,
    'closing_floor', floor or old[1], 'closed_at', NOW, 'updated_at', NOW)
  log(id, 'closed: ' .. reason)
  call('ZREM', P .. 'running', id)
  call('ZREM', P .. 'due', 'opener:' .. id, 'finish:' .. id)
  call('ZADD', P .. 'due', NOW, 'ticket:' .. id)
end

local function close_if_all_done(id)
  if call('HGET', B(id), 'state') ~= 'running' or open_jobs(id) > 0 then return 0 end
  if call('HLEN', B(id, 'jobs')) == 0 then return 0 end
  close_now(id, 'all_done')
  return 1
end

-- What was frozen at close, as reply.rs reads it.
local function closing_of(id)
  return call('HMGET', B(id), 'closing_mode', 'closing_reason', 'closing_floor', 'whole_slate', 'closed_at')
end

local function is_open(state) return state == 'filling' or state == 'running' or state == 'finalizing' end

-- Puts an event into the outbox unless it is there.
local function put_event(event, payload)
  if call('HSETNX', P .. 'outbox', event, payload) == 1 then
    call('ZADD', P .. 'outbox:due', NOW, event)
  end
end

-- Removes what a batch keeps of its jobs, and the leases that still hold one of them.
local function drop_jobs(id)
  local gone = {}
  for _, lease in ipairs(call('HVALS', B(id, 'leased'))) do
    if not gone[lease] then
      gone[lease] = true
      call('DEL', L(lease))
      call('ZREM', P .. 'due', 'lease:' .. lease)
    end
  end
  local keys = {}
  for _, code in ipairs(call('SMEMBERS', B(id, 'codes'))) do keys[#keys + 1] = B(id, 'done:' .. code) end
  for _, part in ipairs({'queue', 'leased', 'jobs', 'names', 'done', 'codes', 'attempts', 'hangs', 'alone'}) do
    keys[#keys + 1] = B(id, part)
  end
  call('UNLINK', unpack(keys))
end
