//! Faults on demand, for tests and drills: a player that hangs, panics or kills the process, or a slow predictor.
//!
//! Compiled under the feature `faults` only, which release builds do not have. There the variable `TIPOFF_FAULT` applies
//! in the real binary, e.g. `hang:lebronjames,slow_ms:5`.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proto::PlayerLookup;
use protocol::ops::ClaimedJob;
use protocol::worker::JobResult;

use crate::predictor::{Predictor, SharedPredictor, Task};

/// The environment variable that the real binary reads, with the feature.
pub const VARIABLE: &str = "TIPOFF_FAULT";

/// What happens when a named player is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The thread never comes back.
    Hang,
    /// The predictor panics.
    Panic,
    /// The process is gone at once, as by a signal.
    Kill,
}

/// Which players are struck, and how slow everything is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FaultPlan {
    /// Faults by player.
    pub players: BTreeMap<PlayerLookup, Fault>,
    /// Added to every job.
    pub slow: Duration,
}

/// A fault that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("fault `{0}` is not one of hang:PLAYER, panic:PLAYER, kill:PLAYER, slow_ms:N")]
pub struct FaultError(String);

impl FromStr for FaultPlan {
    type Err = FaultError;
    fn from_str(text: &str) -> Result<Self, FaultError> {
        let mut plan = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let refuse = || FaultError(part.to_owned());
            let (kind, of) = part.split_once(':').ok_or_else(refuse)?;
            let fault = match kind {
                "hang" => Fault::Hang,
                "panic" => Fault::Panic,
                "kill" => Fault::Kill,
                "slow_ms" => {
                    plan.slow = Duration::from_millis(of.parse().map_err(|_| refuse())?);
                    continue;
                }
                _ => return Err(refuse()),
            };
            plan.players.insert(of.parse().map_err(|_| refuse())?, fault);
        }
        Ok(plan)
    }
}

impl FaultPlan {
    /// The plan of [`VARIABLE`], if it is set.
    pub fn from_env() -> Result<Option<Self>, FaultError> {
        match std::env::var(VARIABLE) {
            Ok(text) if !text.trim().is_empty() => text.parse().map(Some),
            _ => Ok(None),
        }
    }
}

/// A predictor with faults in front of it.
pub struct FaultyPredictor {
    inner: SharedPredictor,
    plan: FaultPlan,
    is_mended: AtomicBool,
}

impl FaultyPredictor {
    /// Strikes by plan, else answers as `inner` does.
    pub fn new(inner: SharedPredictor, plan: FaultPlan) -> Self {
        Self { inner, plan, is_mended: AtomicBool::new(false) }
    }

    /// From now on nothing is struck, and threads that hang come back.
    pub fn mend(&self) {
        self.is_mended.store(true, Ordering::Release);
    }

    fn fault_of(&self, job: &ClaimedJob) -> Option<Fault> {
        let is_mended = self.is_mended.load(Ordering::Acquire);
        self.plan.players.get(&job.id.player).copied().filter(|_| !is_mended)
    }

    fn strike(&self, fault: Fault, job: &ClaimedJob) {
        match fault {
            Fault::Panic => panic!("the drill panics on {}", job.id),
            Fault::Kill => std::process::abort(),
            Fault::Hang => self.hang(),
        }
    }

    fn hang(&self) {
        // Looks up now and then, so that a mended thread needs no list of who hangs.
        while !self.is_mended.load(Ordering::Acquire) {
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}

impl Predictor for FaultyPredictor {
    /// Jobs before the struck one are answered first, as by a predictor that goes through them in order.
    #[expect(
        clippy::disallowed_methods,
        reason = "being slow on a thread of its own is what a drill asks for"
    )]
    fn predict(&self, task: Task<'_>, emit: &mut dyn FnMut(JobResult)) {
        std::thread::sleep(self.plan.slow * task.jobs.len() as u32);
        let mut rest = task.jobs;
        while let Some(at) = rest.iter().position(|job| self.fault_of(job).is_some()) {
            let (before, from) = rest.split_at(at);
            self.inner.predict(Task { jobs: before, ..task }, emit);
            if let Some(fault) = self.fault_of(&from[0]) {
                self.strike(fault, &from[0]);
            }
            // Only a hang that was mended comes here.
            self.inner.predict(Task { jobs: &from[..1], ..task }, emit);
            rest = &from[1..];
        }
        self.inner.predict(Task { jobs: rest, ..task }, emit);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn plans_are_read_and_misspelt_ones_refused() {
        let plan: FaultPlan = "hang:lebronjames, panic:stephencurry,slow_ms:5".parse().unwrap();
        let faults: Vec<_> = plan.players.iter().map(|(player, fault)| (player.as_str(), *fault)).collect();
        assert_eq!(faults, [("lebronjames", Fault::Hang), ("stephencurry", Fault::Panic)]);
        assert_eq!(plan.slow, Duration::from_millis(5));
        assert_eq!("".parse::<FaultPlan>().unwrap(), FaultPlan::default());
        for wrong in ["hang", "hang:", "stop:lebronjames", "slow_ms:soon", "hang:Le Bron"] {
            let error = wrong.parse::<FaultPlan>().unwrap_err();
            assert!(error.to_string().contains(wrong), "{error}");
        }
    }
}
