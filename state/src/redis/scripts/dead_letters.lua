-- Reads events that were given up: {id, payload, attempts, not before, error, ...}.
local answer = {}
local dead = call('HGETALL', P .. 'outbox:dead')
for n = 1, #dead, 2 do
  local event = dead[n]
  answer[#answer + 1] = event
  answer[#answer + 1] = call('HGET', P .. 'outbox', event)
  answer[#answer + 1] = call('HGET', P .. 'outbox:tries', event)
  answer[#answer + 1] = call('ZSCORE', P .. 'outbox:gone', event)
  answer[#answer + 1] = dead[n + 1]
end
return answer
