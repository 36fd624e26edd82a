//! How a job ends: one of six ways, always with a primary code and a sentence.

use crate::text::named_enum;
use crate::{Code, CodeNote, PredictionRow};

named_enum! {
    /// The six terminal outcomes. `total = open + Σ outcomes` at every instant (invariant I1).
    OutcomeKind, "outcome" {
        /// At least one row was written.
        Predicted = "predicted",
        /// No quote of any wanted market survived the line gates.
        Rejected = "rejected",
        /// There was nothing to predict, and that is in order.
        Skipped = "skipped",
        /// A model or its answer failed.
        Failed = "failed",
        /// Time or leases ran out.
        Expired = "expired",
        /// An operator, or the loss of the batch's opener or store, ended it.
        Abandoned = "abandoned",
    }
}

impl OutcomeKind {
    /// True for the ways that make a batch `partial`: work that was owed and not done.
    pub const fn is_unfinished_work(self) -> bool {
        matches!(self, Self::Failed | Self::Expired | Self::Abandoned)
    }
}

/// The end of a job, as a worker or the drain writes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The primary reason; its [`Code::outcome`] is the kind.
    pub code: Code,
    /// What happened, with names and figures.
    pub sentence: String,
    /// Every refusal on the way, quotes and rows alike, so that each owed row is accounted for.
    pub codes: Vec<CodeNote>,
    /// Rows owed: wanted markets times wanted systems.
    pub rows_owed: u32,
    /// The rows to publish; empty unless predicted.
    pub rows: Vec<PredictionRow>,
}

impl Outcome {
    /// An outcome without rows.
    pub fn without_rows(code: Code, sentence: impl Into<String>, rows_owed: u32) -> Self {
        Self { code, sentence: sentence.into(), codes: Vec::new(), rows_owed, rows: Vec::new() }
    }

    /// Which of the six ways this is.
    pub fn kind(&self) -> OutcomeKind {
        self.code.outcome()
    }
}

/// How many jobs ended which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeCounts {
    /// Ended with rows.
    pub predicted: u64,
    /// Refused by the line gates.
    pub rejected: u64,
    /// Nothing to predict.
    pub skipped: u64,
    /// Model or row failures.
    pub failed: u64,
    /// Out of time or leases.
    pub expired: u64,
    /// Ended by an operator or a loss.
    pub abandoned: u64,
}

impl OutcomeCounts {
    /// The count of one kind.
    pub fn get(&self, kind: OutcomeKind) -> u64 {
        match kind {
            OutcomeKind::Predicted => self.predicted,
            OutcomeKind::Rejected => self.rejected,
            OutcomeKind::Skipped => self.skipped,
            OutcomeKind::Failed => self.failed,
            OutcomeKind::Expired => self.expired,
            OutcomeKind::Abandoned => self.abandoned,
        }
    }

    /// Adds `n` to one kind.
    pub fn add(&mut self, kind: OutcomeKind, n: u64) {
        match kind {
            OutcomeKind::Predicted => self.predicted += n,
            OutcomeKind::Rejected => self.rejected += n,
            OutcomeKind::Skipped => self.skipped += n,
            OutcomeKind::Failed => self.failed += n,
            OutcomeKind::Expired => self.expired += n,
            OutcomeKind::Abandoned => self.abandoned += n,
        }
    }

    /// All jobs that have ended.
    pub fn total(&self) -> u64 {
        OutcomeKind::ALL.iter().map(|kind| self.get(*kind)).sum()
    }

    /// Jobs that were owed and not done.
    pub fn unfinished(&self) -> u64 {
        self.failed + self.expired + self.abandoned
    }
}
