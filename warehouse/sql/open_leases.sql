SELECT resource, holder, fence, acquired_at, renewed_at, expires_at, released_at
FROM leases
WHERE released_at IS NULL
ORDER BY acquired_at, resource
