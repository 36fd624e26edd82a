-- Drops jobs and staged rows of an ended batch; its record, log and receipt stay. The memory is freed in the background.
-- ARGV: now, batch.
local id = ARGV[2]
local state = call('HGET', B(id), 'state')
if not state or is_open(state) then return 0 end
drop_jobs(id)
call('HSET', B(id), 'staged_rows', 0)
wrote()
return 1
