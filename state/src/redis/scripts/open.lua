-- Claims a slate for a new batch: nothing else can hold it until `end` or `withdraw`. A repeat by the same token gets
-- `opened` again, whatever became of the batch.
-- ARGV: now, batch, slate, token, finish_by_ms, opener lease, then fields and values of the record.
local id, slate, token = ARGV[2], ARGV[3], ARGV[4]
local known = call('HGET', B(id), 'token')
if known then return {known == token and 'opened' or 'known'} end
local holder = call('HGET', P .. 'slates', slate)
if holder then return {'taken', holder} end
call('HSET', B(id), 'token', token, 'slate', slate, 'state', 'filling', 'generation', 0, 'opened_at', NOW,
  'updated_at', NOW, 'finish_by', NOW + tonumber(ARGV[5]), 'staged_rows', 0, 'stale_writes', 0, 'strikes', 0,
  'last_error', '', unpack(ARGV, 7))
call('SADD', P .. 'batches', id)
call('HSET', P .. 'slates', slate, id)
call('ZADD', P .. 'due', NOW + tonumber(ARGV[6]), 'opener:' .. id)
log(id, 'opened')
wrote()
return {'opened'}
