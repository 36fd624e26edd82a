-- Open batches whose figures are not the sizes of their sets, or whose jobs are not all in a place.
SELECT b.batch_id
FROM batches b
LEFT JOIN (
  SELECT batch, count(*) AS jobs, sum(place = 2) AS queued, sum(place = 3) AS leased, sum(place = 4) AS done
  FROM jobs GROUP BY batch
) j ON j.batch = b.no
LEFT JOIN (SELECT batch, sum(jobs) AS done FROM reasons GROUP BY batch) r ON r.batch = b.no
WHERE b.state IN ('filling', 'running', 'finalizing')
  AND (b.total <> coalesce(j.jobs, 0) OR b.queued <> coalesce(j.queued, 0) OR b.leased <> coalesce(j.leased, 0)
    OR coalesce(r.done, 0) <> coalesce(j.done, 0) OR b.total <> b.queued + b.leased + coalesce(r.done, 0));
