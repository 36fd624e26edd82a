-- Closes a batch in O(1). A reset turns a finalizing batch's publish into discard; an operator's close below the floor
-- changes nothing.
-- ARGV: now, batch, reason, floor or empty, 1 if legal while filling, 1 if legal while running, then the codes that
-- count as predicted or unfinished: code, kind.
local id, reason, floor = ARGV[2], ARGV[3], ARGV[4]
local record = call('HMGET', B(id), 'state', 'min_coverage', 'closing_mode')
local state = record[1]
if not state then return {'unknown'} end
if state == 'finalizing' then
  if reason == 'reset' and record[3] == 'publish' then
    call('HSET', B(id), 'closing_mode', 'discard', 'closing_reason', 'reset', 'updated_at', NOW)
    log(id, 'reset while finalizing')
    wrote()
  end
  return {'finalizing', closing_of(id)}
end
if not is_open(state) then return {'ended', state} end
if ARGV[state == 'filling' and 5 or 6] ~= '1' then return {'refused', state} end
if reason == 'operator' then
  local predicted, unfinished = 0, open_jobs(id)
  local kinds = {}
  for n = 7, #ARGV, 2 do kinds[ARGV[n]] = ARGV[n + 1] end
  for _, code in ipairs(call('SMEMBERS', B(id, 'codes'))) do
    local count = call('SCARD', B(id, 'done:' .. code))
    if kinds[code] == 'predicted' then predicted = predicted + count end
    if kinds[code] == 'unfinished' then unfinished = unfinished + count end
  end
  local owed = predicted + unfinished
  local coverage = owed == 0 and 1 or predicted / owed
  local least = floor == '' and record[2] or floor
  if coverage < tonumber(least) then return {'below', predicted, unfinished, least} end
end
close_now(id, reason, floor ~= '' and floor or nil)
wrote()
return {'finalizing', closing_of(id)}
