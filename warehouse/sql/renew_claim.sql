UPDATE runs SET counts = json_set(counts, '$.owner', $2, '$.renewed_at', $3)
WHERE run_id = $1 AND status = 'running' AND ($4 OR json_extract(counts, '$.owner') = $2)
