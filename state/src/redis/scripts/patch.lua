-- Changes finish-by (from opening) and the floor of coverage until the batch is closed.
-- ARGV: now, batch, finish_by_ms or empty, floor or empty.
local id = ARGV[2]
local record = call('HMGET', B(id), 'state', 'opened_at', 'finish_by')
local state, finish_by = record[1], record[3]
if not state then return {'unknown'} end
if state ~= 'filling' and state ~= 'running' then return {'frozen', state} end
if ARGV[3] ~= '' then
  finish_by = record[2] + ARGV[3]
  call('HSET', B(id), 'finish_by', finish_by)
end
if ARGV[4] ~= '' then call('HSET', B(id), 'min_coverage', ARGV[4]) end
call('HSET', B(id), 'updated_at', NOW)
if state == 'running' then call('ZADD', P .. 'due', finish_by, 'finish:' .. id) end
wrote()
return {'patched'}
