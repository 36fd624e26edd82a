//! Worker actors: pool, worker, the gates in order; job in, rows out.
