//! The pool as others hold it. Handles outside, messages inside; `status` reads a board, so that a busy pool cannot make
//! it wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;

use crate::auto::AutoRange;
use crate::context::WorkerContext;
#[cfg(feature = "faults")]
use crate::pool::SabotageOne;
use crate::pool::{DrainAll, PoolActor, RELEASE_GRACE, Resize, Wake};
use crate::status::{Board, PoolStatus};

/// Most workers of one process.
pub const MAX_WORKERS: usize = 1_024;

/// What a pool is asked to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolSize {
    /// So many workers; none means that this process only coordinates.
    Fixed(usize),
    /// As many as the backlog needs, within a range.
    Auto(AutoRange),
}

/// A wish the pool could not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// No pool of this size.
    #[error("{0} workers are too many: a process has at most {MAX_WORKERS}")]
    TooMany(usize),
    /// A range that is none.
    #[error("an automatic pool needs min <= max, and max at least 1; it got {min} to {max}")]
    Range {
        /// Its lower end.
        min: usize,
        /// Its upper end.
        max: usize,
    },
    /// The mailbox is full.
    #[error("the worker pool is busy, try again")]
    Busy,
    /// The pool has ended.
    #[error("the worker pool has stopped")]
    Stopped,
}

/// How a drain went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainReport {
    /// Workers that finished or released what they had.
    pub drained: usize,
    /// Workers that had to be stopped; their leases lapse by themselves.
    pub stopped: usize,
}

/// The pool as others hold it; clones are the same pool.
#[derive(Debug, Clone)]
pub struct PoolHandle {
    pool: Addr<PoolActor>,
    board: Arc<Board>,
    is_nudged: Arc<AtomicBool>,
}

impl PoolHandle {
    /// Changes the number of workers; surplus ones finish what they have.
    pub fn resize(&self, size: usize) -> Result<(), PoolError> {
        self.tell(Resize(checked(PoolSize::Fixed(size))?))?;
        // Whoever asks next sees the wish; the pool closes the gap.
        self.board.show_pool(|shown| (shown.size, shown.auto) = (size, None));
        Ok(())
    }

    /// Lets the pool choose its size between `min` and `max`.
    pub fn auto(&self, min: usize, max: usize) -> Result<(), PoolError> {
        let range = AutoRange { min, max };
        self.tell(Resize(checked(PoolSize::Auto(range))?))?;
        self.board.show_pool(|shown| shown.auto = Some(range));
        Ok(())
    }

    /// The pool and its workers as they are now.
    pub fn status(&self) -> PoolStatus {
        self.board.status()
    }

    /// Wakes idle workers: there is work now. Never fails: at worst they find it within 250 ms by themselves.
    pub fn nudge(&self) {
        // One that waits in the mailbox says it for all.
        if !self.is_nudged.swap(true, Ordering::AcqRel) && self.pool.try_send(Wake).is_err() {
            self.is_nudged.store(false, Ordering::Release);
        }
    }

    /// Stops claiming, lets workers finish for so long, then releases what they have left, and returns when all are
    /// gone: at most a second and a half after `finish_within`. The pool stays empty from then on.
    pub async fn drain(&self, finish_within: Duration) -> DrainReport {
        let (done, report) = oneshot::channel();
        let limit = finish_within + RELEASE_GRACE + Duration::from_millis(500);
        let told = self.tell(DrainAll { finish_within, done });
        let report = match told {
            Ok(()) => tokio::time::timeout(limit, report).await.ok().and_then(Result::ok),
            Err(error) => {
                tracing::warn!("cannot drain the worker pool: {error}");
                None
            }
        };
        report.unwrap_or_else(|| DrainReport { drained: 0, stopped: self.status().workers.len() })
    }

    /// A drill: the actor of one worker panics, one that holds a lease if there is any.
    #[cfg(feature = "faults")]
    pub fn sabotage(&self) -> Result<(), PoolError> {
        self.tell(SabotageOne)
    }

    fn tell<M>(&self, message: M) -> Result<(), PoolError>
    where
        M: Message<Result = ()> + Send + 'static,
        PoolActor: Handler<M>,
    {
        self.pool.try_send(message).map_err(|error| match error {
            SendError::Full(_) => PoolError::Busy,
            SendError::Closed(_) => PoolError::Stopped,
        })
    }
}

fn checked(size: PoolSize) -> Result<PoolSize, PoolError> {
    match size {
        PoolSize::Fixed(n) | PoolSize::Auto(AutoRange { max: n, .. }) if n > MAX_WORKERS => {
            Err(PoolError::TooMany(n))
        }
        PoolSize::Auto(AutoRange { min, max }) if min > max || max == 0 => Err(PoolError::Range { min, max }),
        size => Ok(size),
    }
}

/// Starts a pool on the current system's arbiter; call it inside `System::block_on`, on the shared runtime.
pub fn start_pool(context: WorkerContext, size: PoolSize) -> Result<PoolHandle, PoolError> {
    let size = checked(size)?;
    let board = Board::new(context.clock, context.abandoned.clone());
    let is_nudged = Arc::new(AtomicBool::new(false));
    let pool = PoolActor::start_with(context, board.clone(), is_nudged.clone(), size);
    Ok(PoolHandle { pool, board, is_nudged })
}
