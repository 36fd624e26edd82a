//! From a claimed slate to a sealed batch: claim, register, load as of then, add jobs, seal (design.md 4).
//!
//! Whatever fails after the claim withdraws it; a process that dies instead leaves a claim whose opener lapses. Both
//! leave the slate free and its published rows untouched.

use std::time::Duration;

use proto::codec::encode_job;
use proto::{BatchId, Job, OpenerToken};
use protocol::ops::{Added, NewJob, OpenBatch, Opened, OpenerRefusal, Sealed};
use protocol::{BatchState, MAX_ITEMS_PER_CALL, MAX_JOBS};
use warehouse::{Registered, Registration, SlateLoad};

use super::jobs::build;
use super::start::Plan;
use super::{Service, ServiceError};
use crate::cores;

/// Candidates for a batch id: one a second, so a minute of starts in one second would be needed to run out.
const ID_TRIES: usize = 60;

/// The opener's claim: withdrawn on every way out but the seal.
pub(super) struct Claim {
    pub(super) batch_id: BatchId,
    pub(super) token: OpenerToken,
    pub(super) generation: u64,
}

/// A batch that is sealed.
pub(super) struct Filled {
    pub(super) games: usize,
    pub(super) jobs: Vec<Job>,
}

impl Service {
    /// Claims the slate in the store, then registers the batch in the warehouse.
    pub(super) async fn claim(&self, plan: &Plan) -> Result<Claim, ServiceError> {
        let token = OpenerToken::from_random(self.context.random());
        let mut batch_id = BatchId::new(plan.slate.game_date, self.context.now().as_second());
        for _ in 0..ID_TRIES {
            let open = OpenBatch {
                batch_id: batch_id.clone(),
                token,
                timing: self.context.timing,
                finish_by_ms: plan.finish_by_ms,
                min_coverage: plan.min_coverage,
                whole_slate: plan.whole_slate,
                contract_version: self.context.contract.version.clone(),
                pins: plan.wanted.pins.clone(),
                request: plan.request_json.clone(),
            };
            match self.context.store.open(&open, self.context.wall_clock()).await? {
                Opened::Opened => {}
                Opened::SlateTaken { batch_id } => return Err(self.already_running(&batch_id).await?),
                Opened::IdKnown => {
                    batch_id = batch_id.next_second();
                    continue;
                }
            }
            let registration = Registration {
                batch_id: batch_id.clone(),
                slate: plan.slate,
                opener: token,
                request: plan.request_json.clone(),
                as_of: plan.wanted.as_of,
                now: self.context.now(),
            };
            let registered = self.context.warehouse.register(&registration);
            match self.renewing(&batch_id, &token, registered).await?? {
                Registered::Generation(generation) => return Ok(Claim { batch_id, token, generation }),
                Registered::IdTaken => {
                    let _ = self.context.store.withdraw(&batch_id, &token).await?;
                    batch_id = batch_id.next_second();
                }
            }
        }
        Err(ServiceError::Busy { detail: "no free batch id within a minute; try again".to_owned() })
    }

    /// Loads under the generation, adds jobs, seals. None: there is nothing to do.
    pub(super) async fn fill(&self, plan: &Plan, claim: &Claim) -> Result<Option<Filled>, ServiceError> {
        let loaded = self.load(plan, Some(claim.generation));
        let inputs = match self.renewing(&claim.batch_id, &claim.token, loaded).await?? {
            SlateLoad::Inputs(inputs) => inputs,
            SlateLoad::Overtaken { newest } => {
                return Err(ServiceError::Busy {
                    detail: format!("generation {newest} of the slate was registered meanwhile; try again"),
                });
            }
        };
        if plan.only_fresh && inputs.is_behind() {
            let detail = "an input came in after the features were built; build them and try again";
            return Err(ServiceError::Busy { detail: detail.to_owned() });
        }
        let games = inputs.games.len();
        let jobs = build(*inputs, &plan.wanted, self.context.contract, &self.context.lines);
        if jobs.is_empty() {
            return Ok(None);
        }
        if jobs.len() > MAX_JOBS {
            let detail = format!("the slate has {} jobs, a batch takes {MAX_JOBS}; name players", jobs.len());
            return Err(ServiceError::Busy { detail });
        }
        let record = |job: &Job| NewJob { id: job.id.clone(), payload: encode_job(job) };
        let records = cores::map(jobs.iter().collect(), record);
        self.add_and_seal(claim, &records).await?;
        if let Some(pool) = &self.pool {
            pool.nudge();
        }
        Ok(Some(Filled { games, jobs }))
    }

    /// Adds every page, then seals; a store that forgot some (a rollback) gets them again, once.
    async fn add_and_seal(&self, claim: &Claim, records: &[NewJob]) -> Result<(), ServiceError> {
        let Claim { batch_id, token, generation } = claim;
        let store = &self.context.store;
        for _ in 0..2 {
            for page in records.chunks(MAX_ITEMS_PER_CALL) {
                match store.add_jobs(batch_id, token, page, self.context.wall_clock()).await? {
                    Added::Added { .. } => {}
                    Added::Duplicate { id } => {
                        return Err(ServiceError::internal(format!(
                            "job {id} was added twice with other contents"
                        )));
                    }
                    Added::TooMany => {
                        return Err(ServiceError::Busy {
                            detail: "the state store takes no more jobs".to_owned(),
                        });
                    }
                    Added::Refused(refusal) => return Err(lost_claim(batch_id, &refusal)),
                }
            }
            let num_jobs = records.len() as u64;
            let sealed = store.seal(batch_id, token, *generation, num_jobs, self.context.wall_clock()).await;
            let sealed = match sealed {
                // The answer was lost: asked again, a seal that was applied says so.
                Err(error) if error.is_unreachable() => {
                    tracing::warn!(batch.id = %batch_id, %error, "asks again whether `{batch_id}` is sealed");
                    store.seal(batch_id, token, *generation, num_jobs, self.context.wall_clock()).await
                }
                answer => answer,
            };
            match sealed? {
                Sealed::Sealed => return Ok(()),
                Sealed::Missing { have } => tracing::warn!("{batch_id}: {have} of {num_jobs} jobs are there"),
                Sealed::Refused(refusal) => return Err(lost_claim(batch_id, &refusal)),
            }
        }
        Err(ServiceError::Busy {
            detail: "the state store lost jobs while they were added; try again".to_owned(),
        })
    }

    /// Awaits slow work while renewing the opener's lease: whatever asks the warehouse may wait for an ingestion that holds it.
    async fn renewing<T>(
        &self,
        batch_id: &BatchId,
        token: &OpenerToken,
        work: impl Future<Output = T>,
    ) -> Result<T, ServiceError> {
        let every = Duration::from_millis(self.context.timing.renew_ms as u64);
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                () = tokio::time::sleep(every) => {
                    let now = self.context.wall_clock();
                    let renewed = self.context.store.add_jobs(batch_id, token, &[], now).await?;
                    if let Added::Refused(refusal) = renewed {
                        return Err(lost_claim(batch_id, &refusal));
                    }
                }
            }
        }
    }

    /// Withdraws a claim that could not be filled, as well as it can be done. Only a batch that the store still shows as
    /// filling: the answer to a seal may be lost while the seal is not, and then the batch runs and keeps its row. A claim
    /// that cannot be looked at or withdrawn lapses by itself.
    pub(super) async fn give_up(&self, claim: &Claim, why: &ServiceError) {
        let batch_id = &claim.batch_id;
        let withdrawn = match self.context.store.batch(batch_id).await {
            Ok(Some(view)) if view.state != BatchState::Filling => {
                tracing::warn!(batch.id = %batch_id, "`{batch_id}` is {}, although its start failed: {why}", view.state);
                return;
            }
            Ok(_) => self.withdraw(claim, &why.to_string()).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = withdrawn {
            tracing::warn!(batch.id = %batch_id, %error, "a claim was left to lapse");
        }
    }

    /// The row first, then the claim: a registered batch that the store does not know would count as lost.
    pub(super) async fn withdraw(&self, claim: &Claim, why: &str) -> Result<(), ServiceError> {
        let withdrawn = self.context.warehouse.withdraw(&claim.batch_id, why, self.context.now());
        match self.renewing(&claim.batch_id, &claim.token, withdrawn).await? {
            // Never registered: there is only the claim.
            Ok(()) | Err(warehouse::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let _ = self.context.store.withdraw(&claim.batch_id, &claim.token).await?;
        Ok(())
    }
}

fn lost_claim(batch_id: &BatchId, refusal: &OpenerRefusal) -> ServiceError {
    ServiceError::Busy {
        detail: format!("{batch_id} was closed while it was being filled ({refusal:?}); try again"),
    }
}
