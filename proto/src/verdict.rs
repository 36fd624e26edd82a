//! How a batch ends: the verdict, written once in the warehouse, and the receipt that proves what it did.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::outcome::OutcomeCounts;
use crate::text::named_enum;
use crate::{BatchId, Slate};

named_enum! {
    /// The four ways a batch can end.
    EndState, "end state" {
        /// Published; nothing owed is missing.
        Complete = "complete",
        /// Published; some jobs failed, expired or were abandoned.
        Partial = "partial",
        /// Nothing published; the previous slate stays.
        Failed = "failed",
        /// Ended by an operator; nothing published.
        Reset = "reset",
    }
}

impl EndState {
    /// True when rows of this batch became the slate's active rows.
    pub const fn is_published(self) -> bool {
        matches!(self, Self::Complete | Self::Partial)
    }
}

named_enum! {
    /// Why a verdict is what it is.
    VerdictReason, "verdict reason" {
        /// Every job ended without failure.
        AllDone = "all_done",
        /// Failed, expired or abandoned jobs are listed.
        Unfinished = "unfinished",
        /// Coverage below `min_coverage`.
        Coverage = "coverage",
        /// Nobody could be predicted.
        NothingPredicted = "nothing_predicted",
        /// A newer generation of the slate is already published.
        Overtaken = "overtaken",
        /// The opener went away before sealing.
        NeverSealed = "never_sealed",
        /// The state store does not know the batch any more.
        StateLost = "state_lost",
        /// The warehouse refused, or finalizers were lost, five times.
        Finalizer = "finalizer",
        /// An operator reset it.
        Reset = "reset",
    }
}

/// The end of a batch: written once, first writer wins, never changed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// How it ended.
    pub state: EndState,
    /// Why.
    pub reason: VerdictReason,
    /// Why, in a sentence with figures.
    pub sentence: String,
}

named_enum! {
    /// How good a slate is; apart from how its batch ended.
    HealthLevel, "health" {
        /// Nothing to look at.
        Healthy = "healthy",
        /// Look when there is time.
        Warning = "warning",
        /// Look now.
        Degraded = "degraded",
    }
}

named_enum! {
    /// Weight of one finding.
    FindingLevel, "finding level" {
        /// Worth knowing; changes no health.
        Info = "info",
        /// Makes the slate `warning`.
        Warning = "warning",
        /// Makes the slate `degraded`.
        Degraded = "degraded",
    }
}

/// Something a person should know about a slate.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Stable name.
    pub code: String,
    /// Weight.
    pub level: FindingLevel,
    /// In words, with names and figures.
    pub sentence: String,
    /// How many things it concerns.
    pub count: u64,
}

/// Health and findings together, as the finalizer computed them before its transaction.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// The worst level of all findings.
    pub level: HealthLevel,
    /// Degraded first.
    pub findings: Vec<Finding>,
    /// Figures that are always shown, by name: `mean_feature_quality`, `quality_ready`, `zero_default`,
    /// `top_edge`, `edges_3_plus`, `edges_5_plus`.
    pub figures: BTreeMap<String, f64>,
}

/// An older row that stays active because its player, market or system got no new one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carried {
    /// `game|player|market|system`.
    pub key: String,
    /// The batch that wrote it.
    pub batch_id: BatchId,
}

/// What a batch did, by its own transaction.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The batch.
    pub batch_id: BatchId,
    /// The slate.
    pub slate: Slate,
    /// Its number among the slate's batches; 0 for one that was never registered.
    pub generation: u64,
    /// How it ended.
    pub verdict: Verdict,
    /// Jobs by outcome.
    pub jobs: OutcomeCounts,
    /// Jobs by primary code.
    pub reasons: BTreeMap<String, u64>,
    /// Rows owed: the sum over jobs of wanted markets times systems.
    pub rows_owed: u64,
    /// Rows that became active.
    pub published: u64,
    /// Rows owed and refused, by code; with `published` they add up to `rows_owed`.
    pub refused: BTreeMap<String, u64>,
    /// Older rows that stay active.
    pub carried: Vec<Carried>,
    /// Rows made inactive because the player is out or the game is off, by reason.
    pub invalidated: BTreeMap<String, u64>,
    /// Published rows by system.
    pub by_system: BTreeMap<String, u64>,
    /// Published rows by market.
    pub by_market: BTreeMap<String, u64>,
    /// Published rows by game.
    pub by_game: BTreeMap<String, u64>,
    /// Published rows by line source.
    pub by_line_source: BTreeMap<String, u64>,
    /// Active rows of the slate after the commit.
    pub active: u64,
    /// sha256 over the sorted row hashes of this batch's rows.
    pub rows_sha256: String,
    /// sha256 over the sorted row hashes of the slate's active rows after the commit.
    pub slate_sha256: String,
    /// How good the slate is; none when nothing could be judged.
    pub health: Option<Health>,
    /// When the verdict was written, by the warehouse's host.
    pub decided_at: Timestamp,
}
