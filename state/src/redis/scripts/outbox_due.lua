-- Reads events that may be delivered now, by time and id: {id, payload, attempts, not before, ...}.
-- ARGV: now, most events.
local answer = {}
local most = tonumber(ARGV[2])
if most == 0 then return answer end
local found = call('ZRANGE', P .. 'outbox:due', '-inf', NOW, 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
for n = 1, #found, 2 do
  answer[#answer + 1] = found[n]
  answer[#answer + 1] = call('HGET', P .. 'outbox', found[n])
  answer[#answer + 1] = call('HGET', P .. 'outbox:tries', found[n]) or '0'
  answer[#answer + 1] = found[n + 1]
end
return answer
