-- Reads live leases: {lease, worker, batch, claimed, expires, deadline, held, ...}.
local answer = {}
for _, key in ipairs(call('ZRANGE', P .. 'due', 0, -1)) do
  local lease = string.match(key, '^lease:(.*)$')
  if lease then
    answer[#answer + 1] = lease
    for _, value in ipairs(call('HMGET', L(lease), 'worker', 'batch', 'claimed_at', 'expires_at', 'deadline_at',
      'held')) do
      answer[#answer + 1] = value
    end
  end
end
return answer
