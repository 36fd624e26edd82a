SELECT opener, generation FROM batches WHERE batch_id = $1
