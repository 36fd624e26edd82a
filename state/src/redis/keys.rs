//! The keys of the Redis store.
//!
//! All keys of a shard begin with its prefix, `tipoff:{s0}:`. The part in braces is the hash tag: everything that one
//! script touches lies in one slot. There is one shard for now; more would follow from the game date alone. `P` is the
//! prefix, numbers of jobs are six digits (text order is number order), times are milliseconds.
//!
//! | key | type | what it holds |
//! |---|---|---|
//! | `P meta` | hash | `store_id`, `writes`, `warehouse_id`, `last_sweep` |
//! | `P batches` | set | ids of all batches the store knows |
//! | `P slates` | hash | slate → its open batch: the claim of the slate, and the list of open batches |
//! | `P running` | zset | running batches by opening time |
//! | `P due` | zset | what happens by itself, by time: `lease:`, `opener:`, `finish:`, `ticket:` with an id |
//! | `P lease:ID` | hash | a live claim: batch, worker, times, chunk, held, its numbers |
//! | `P b:ID` | hash | the record of a batch |
//! | `P b:ID:jobs` | hash | number → name, NUL, payload; its size is the total |
//! | `P b:ID:names` | hash | name → number |
//! | `P b:ID:queue` | zset | waiting numbers by not-before |
//! | `P b:ID:leased` | hash | number → lease |
//! | `P b:ID:done` | hash | number → record of its end |
//! | `P b:ID:codes`, `P b:ID:done:CODE` | set | codes in use; ended numbers by primary code |
//! | `P b:ID:attempts`, `:hangs`, `:alone` | hash, hash, set | only for jobs that have any |
//! | `P b:ID:log` | list | `time text`, the newest 1,000 |
//! | `P outbox` | hash | event id → payload |
//! | `P outbox:tries` | hash | event id → failed deliveries |
//! | `P outbox:due`, `P outbox:gone` | zset | waiting events and dead letters by not-before |
//! | `P outbox:dead` | hash | event id → last error |
//!
//! A job is in exactly one of `queue`, `leased`, `done`; counts are their sizes. No key ever has a time to live.

/// The prefix of the one shard.
pub(super) fn shard_prefix(prefix: &str) -> String {
    format!("{prefix}:{{s0}}:")
}

/// The number of a job as key text.
pub(super) fn seq(number: u32) -> String {
    format!("{number:06}")
}
