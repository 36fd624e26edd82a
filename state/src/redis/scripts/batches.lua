-- Reads batches as one consistent view: for each {id, {field, value, ...}, jobs, waiting, leased, {code, jobs, ...}}.
-- ARGV: now, `one`, `open` or `all`, the batch if one.
local ids
if ARGV[2] == 'one' then
  ids = {ARGV[3]}
elseif ARGV[2] == 'open' then
  ids = call('HVALS', P .. 'slates')
else
  ids = call('SMEMBERS', P .. 'batches')
end
local answer = {}
for _, id in ipairs(ids) do
  local record = call('HGETALL', B(id))
  if #record > 0 then
    local reasons = {}
    for _, code in ipairs(call('SMEMBERS', B(id, 'codes'))) do
      reasons[#reasons + 1] = code
      reasons[#reasons + 1] = call('SCARD', B(id, 'done:' .. code))
    end
    answer[#answer + 1] = {id, record, call('HLEN', B(id, 'jobs')), call('ZCARD', B(id, 'queue')),
      call('HLEN', B(id, 'leased')), reasons}
  end
end
return answer
