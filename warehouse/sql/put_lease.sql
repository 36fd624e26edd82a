-- $1 resource, $2 holder, $3 fence, $4 now, $5 expires at; a repeated request keeps when it was acquired.
INSERT INTO leases (resource, holder, fence, acquired_at, renewed_at, expires_at) VALUES ($1, $2, $3, $4, $4, $5)
ON CONFLICT (resource) DO UPDATE SET
    holder = excluded.holder,
    fence = excluded.fence,
    acquired_at = CASE WHEN leases.fence = excluded.fence THEN leases.acquired_at ELSE excluded.acquired_at END,
    renewed_at = excluded.renewed_at,
    expires_at = excluded.expires_at,
    released_at = NULL
