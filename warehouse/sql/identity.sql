SELECT id FROM warehouse_identity WHERE only_row = 1
