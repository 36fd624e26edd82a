-- Ends open jobs with the closing reason: waiting ones in order of their time, then leased ones by number.
-- ARGV: now, batch, ticket, most jobs.
local id, most = ARGV[2], tonumber(ARGV[4])
local record = call('HMGET', B(id), 'state', 'ticket', 'closing_reason')
if record[1] ~= 'finalizing' or record[2] ~= ARGV[3] then return {'lost'} end
local seqs, off, by_lease = {}, {}, {}
if most > 0 then
  seqs = call('ZRANGE', B(id, 'queue'), 0, most - 1)
  if #seqs < most then
    local leased = call('HKEYS', B(id, 'leased'))
    table.sort(leased)
    for n = 1, math.min(most - #seqs, #leased) do off[n] = leased[n] end
  end
end
if #seqs > 0 then call('ZREMRANGEBYRANK', B(id, 'queue'), 0, #seqs - 1) end
if #off > 0 then
  for _, lease in ipairs(call('HMGET', B(id, 'leased'), unpack(off))) do
    by_lease[lease] = (by_lease[lease] or 0) + 1
  end
  call('HDEL', B(id, 'leased'), unpack(off))
  for _, seq in ipairs(off) do seqs[#seqs + 1] = seq end
end
local reason = REASONS[record[3]]
local done, pairs_ = store_record(reason.code, reason.note), {}
for _, seq in ipairs(seqs) do
  pairs_[#pairs_ + 1] = seq
  pairs_[#pairs_ + 1] = done
end
end_jobs(id, pairs_, {[reason.code] = seqs}, 0)
for lease, count in pairs(by_lease) do leave_lease(lease, count) end
wrote()
return {'drained', #seqs, open_jobs(id)}
