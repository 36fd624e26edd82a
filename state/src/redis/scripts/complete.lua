-- Writes outcomes and rows in one step; the last open job closes the batch in it. Checked in this order: this lease
-- completed it before; batch not running; other lease.
-- ARGV: now, batch, lease, n, then n numbers, n codes, n row counts, n pairs of number and record.
-- Answer: {closed, n} when all were accepted, else {closed, n accepted, {answer, ...}}.
local id, lease, num = ARGV[2], ARGV[3], tonumber(ARGV[4])
local state = call('HGET', B(id), 'state')
if not state or num == 0 then
  local answers = {}
  for n = 1, num do answers[n] = 'closed' end
  return {0, 0, answers}
end

local holders = call('HMGET', B(id, 'leased'), unpack(ARGV, 5, 4 + num))
local seen, all, rows, by_code = {}, state == 'running', 0, {}
for n = 1, num do
  local seq = ARGV[4 + n]
  if holders[n] ~= lease or seen[seq] then
    all = false
    break
  end
  seen[seq] = true
  rows = rows + ARGV[4 + 2 * num + n]
  local code = ARGV[4 + num + n]
  local list = by_code[code]
  if list then list[#list + 1] = seq else by_code[code] = {seq} end
end

local base = 4 + 3 * num
if all then
  local pairs_ = {unpack(ARGV, base + 1, base + 2 * num)}
  call('HDEL', B(id, 'leased'), unpack(ARGV, 5, 4 + num))
  end_jobs(id, pairs_, by_code, rows)
  leave_lease(lease, num)
  wrote()
  return {close_if_all_done(id), num}
end

-- Something differs: one by one.
local ended = call('HMGET', B(id, 'done'), unpack(ARGV, 5, 4 + num))
local function digest_of(record)
  local length = struct.unpack('>I2', record, 33)
  return string.sub(record, 35, 34 + length)
end
local answers, accepted, pairs_, off, stale, conflicts = {}, {}, {}, {}, 0, {}
rows, by_code = 0, {}
for n = 1, num do
  local seq, record = ARGV[4 + n], ARGV[base + 2 * n]
  local before = accepted[seq] or ended[n]
  if before and string.sub(before, 1, 32) == lease then
    if digest_of(before) == digest_of(record) then
      answers[n] = 'repeated'
    else
      answers[n] = 'conflict'
      conflicts[#conflicts + 1] = seq
    end
  elseif state ~= 'running' then
    answers[n] = 'closed'
    stale = stale + 1
  elseif holders[n] == lease then
    answers[n] = 'accepted'
    accepted[seq] = record
    off[#off + 1] = seq
    pairs_[#pairs_ + 1] = seq
    pairs_[#pairs_ + 1] = record
    rows = rows + ARGV[4 + 2 * num + n]
    local code = ARGV[4 + num + n]
    local list = by_code[code]
    if list then list[#list + 1] = seq else by_code[code] = {seq} end
  else
    answers[n] = 'stale'
    stale = stale + 1
  end
end
if stale > 0 then call('HINCRBY', B(id), 'stale_writes', stale) end
for _, seq in ipairs(conflicts) do
  log(id, 'alarm: job ' .. tonumber(seq) .. ' was completed again with another result')
end
if #off > 0 then
  call('HDEL', B(id, 'leased'), unpack(off))
  end_jobs(id, pairs_, by_code, rows)
  leave_lease(lease, #off)
end
wrote()
return {close_if_all_done(id), #off, answers}
