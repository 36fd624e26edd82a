UPDATE leases SET released_at = $3 WHERE resource = $1 AND fence = $2 AND released_at IS NULL
