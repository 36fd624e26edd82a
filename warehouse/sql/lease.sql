SELECT resource, holder, fence, acquired_at, renewed_at, expires_at, released_at FROM leases WHERE resource = $1
