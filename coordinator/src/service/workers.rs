//! The workers of this instance and every live lease of the store.

use ::workers::PoolStatus;
use jiff::Timestamp;
use proto::api::PutWorkers;
use proto::{BatchId, LeaseId, WorkerId};

use super::{Check, Service, ServiceError};

/// Most workers of one process: each is a thread.
const MAX_WORKERS: u32 = 1_024;

/// `GET /workers`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Workers {
    /// The process that answers.
    pub instance: String,
    /// Its pool; null where it only coordinates.
    pub pool: Option<PoolStatus>,
    /// Live leases of every process.
    pub leases: Vec<LeaseInfo>,
}

/// One live lease.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct LeaseInfo {
    /// The lease.
    pub lease: LeaseId,
    /// Who holds it.
    pub worker: WorkerId,
    /// Its batch.
    pub batch_id: BatchId,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// When it ends unless renewed.
    pub expires_at: Timestamp,
    /// Until when it can be renewed.
    pub deadline_at: Timestamp,
    /// Jobs still held.
    pub held: u64,
}

impl Service {
    /// Who works on what.
    pub async fn workers(&self) -> Result<Workers, ServiceError> {
        let leases = self.context.store.leases().await?;
        let pool = self.pool.as_ref().map(|pool| pool.status());
        Ok(Workers {
            instance: self.context.instance.to_string(),
            pool,
            leases: leases.iter().map(LeaseInfo::from).collect(),
        })
    }

    /// Resizes this instance's pool, or lets it choose its size.
    pub async fn put_workers(&self, request: PutWorkers) -> Result<Workers, ServiceError> {
        let here = self.context.instance.to_string();
        if let Some(instance) = request.instance.filter(|instance| *instance != here) {
            let detail = format!("this is instance {here}; ask {instance} itself");
            return Err(ServiceError::field("instance", detail));
        }
        let Some(pool) = &self.pool else {
            return Err(ServiceError::field(
                "size",
                "this instance was started with --workers 0 and only coordinates",
            ));
        };
        match (request.size, request.auto) {
            (Some(size), None) => pool.resize(checked("size", size)?).map_err(busy)?,
            (None, Some(auto)) => {
                let (min, max) = (checked("auto.min", auto.min)?, checked("auto.max", auto.max)?);
                if min > max {
                    return Err(ServiceError::field("auto", format!("min {min} is above max {max}")));
                }
                pool.auto(min, max).map_err(busy)?;
            }
            _ => return Err(ServiceError::field("size", "give either size or auto {min, max}")),
        }
        self.workers().await
    }
}

fn busy(error: ::workers::PoolError) -> ServiceError {
    ServiceError::Busy { detail: error.to_string() }
}

fn checked(field: &str, size: u32) -> Result<usize, ServiceError> {
    match size {
        1..=MAX_WORKERS => Ok(size as usize),
        _ => Err(ServiceError::field(field, format!("{size} is not between 1 and {MAX_WORKERS}"))),
    }
}

/// The pool's line in `/readyz`.
pub(super) fn readiness(pool: &PoolStatus) -> Check {
    let alive = pool.workers.len();
    let (ok, sentence) = if pool.exhausted {
        (
            false,
            format!("{} prediction threads were left behind: restart this process", pool.abandoned_threads),
        )
    } else if pool.draining {
        (false, "draining: no new work is taken".to_owned())
    } else if pool.unservable() {
        (false, "jobs wait that need a model this process does not have".to_owned())
    } else {
        (true, format!("{alive} of {} workers alive", pool.size))
    };
    Check { name: "workers", ok, sentence }
}
