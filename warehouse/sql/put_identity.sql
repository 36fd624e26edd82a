INSERT INTO warehouse_identity (only_row, id, created_at) VALUES (1, $1, $2) ON CONFLICT (only_row) DO NOTHING
