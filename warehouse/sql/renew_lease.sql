-- $1 resource, $2 fence, $3 now, $4 expires at. A lease that ran out and was taken by nobody is still its holder's.
UPDATE leases SET renewed_at = $3, expires_at = $4 WHERE resource = $1 AND fence = $2 AND released_at IS NULL
