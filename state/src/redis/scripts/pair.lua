-- Binds the store to a warehouse; an empty store is adopted. Answers the warehouse it belongs to.
-- ARGV: now, warehouse id.
call('HSETNX', P .. 'meta', 'warehouse_id', ARGV[2])
wrote()
return call('HGET', P .. 'meta', 'warehouse_id')
