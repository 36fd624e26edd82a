SELECT system_no, system_id FROM prediction_systems
