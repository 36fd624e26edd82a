-- Takes unfinished jobs back from the lease that holds them: to wait again, or to end when their attempts are used up.
-- ARGV: now, batch, lease, n, then for each job number, how (release, retry, hang), delay, code, error.
local id, lease, num = ARGV[2], ARGV[3], tonumber(ARGV[4])
local answers = {}
local record = call('HMGET', B(id), 'state', 'max_attempts')
if record[1] ~= 'running' then
  for n = 1, num do answers[n] = 'closed' end
  return {0, answers}
end
if num == 0 then return {0, answers} end
local max_attempts = tonumber(record[2])
local was_alone = call('HGET', L(lease), 'chunk') == '1' and 1 or 0

local seqs = {}
for n = 1, num do seqs[n] = ARGV[5 * n] end
local holders = call('HMGET', B(id, 'leased'), unpack(seqs))
local attempts = call('HMGET', B(id, 'attempts'), unpack(seqs))
local hangs = call('HMGET', B(id, 'hangs'), unpack(seqs))

local taken, off, queue, alone, tried, hung, pairs_, by_code = {}, {}, {}, {}, {}, {}, {}, {}
local function finish(seq, code, note)
  pairs_[#pairs_ + 1] = seq
  pairs_[#pairs_ + 1] = store_record(code, note)
  by_code[code] = by_code[code] or {}
  table.insert(by_code[code], seq)
end
local function again(seq, at)
  queue[#queue + 1] = at
  queue[#queue + 1] = seq
end
for n = 1, num do
  local at = 5 * n
  local seq, how, delay = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  if holders[n] ~= lease or taken[seq] then
    answers[n] = 'stale'
  else
    taken[seq] = true
    off[#off + 1] = seq
    answers[n] = 'queued'
    local charged = tonumber(attempts[n] or 0)
    if how == 'release' then
      again(seq, NOW)
    else
      alone[#alone + 1] = seq
      local hang_count = tonumber(hangs[n] or 0)
      if how == 'hang' then
        charged, hang_count = charged + was_alone, hang_count + was_alone
        hung[#hung + 1] = seq
        hung[#hung + 1] = hang_count
      else
        charged = charged + 1
      end
      tried[#tried + 1] = seq
      tried[#tried + 1] = charged
      if how == 'hang' and (hang_count >= 2 or charged >= max_attempts) then
        finish(seq, 'hang', 'silent past its deadline ' .. hang_count .. ' times')
        answers[n] = 'ended'
      elseif how == 'retry' and charged >= max_attempts then
        finish(seq, ARGV[at + 3], ARGV[at + 4])
        answers[n] = 'ended'
      else
        again(seq, NOW + delay)
      end
    end
  end
end
if #off > 0 then
  call('HDEL', B(id, 'leased'), unpack(off))
  if #queue > 0 then call('ZADD', B(id, 'queue'), unpack(queue)) end
  if #alone > 0 then call('SADD', B(id, 'alone'), unpack(alone)) end
  if #tried > 0 then call('HSET', B(id, 'attempts'), unpack(tried)) end
  if #hung > 0 then call('HSET', B(id, 'hangs'), unpack(hung)) end
  call('HSET', B(id), 'updated_at', NOW)
  end_jobs(id, pairs_, by_code, 0)
  leave_lease(lease, #off)
end
wrote()
return {close_if_all_done(id), answers}
