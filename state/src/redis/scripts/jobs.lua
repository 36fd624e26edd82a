-- Reads one page of jobs as one consistent view: {{record, ...}, {attempts or nil, ...}, {done record or nil, ...}}.
-- ARGV: now, batch, first number, one past the last number; at most 500 in between.
local id, seqs = ARGV[2], {}
local last = math.min(tonumber(ARGV[4]), call('HLEN', B(id, 'jobs'))) - 1
for n = tonumber(ARGV[3]), last do seqs[#seqs + 1] = string.format('%06d', n) end
if #seqs == 0 then return {{}, {}, {}} end
return {call('HMGET', B(id, 'jobs'), unpack(seqs)), call('HMGET', B(id, 'attempts'), unpack(seqs)),
  call('HMGET', B(id, 'done'), unpack(seqs))}
