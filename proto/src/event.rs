//! Events as CloudEvents 1.0: typed, versioned, refused when a field is missing or unknown (incident 46).
//!
//! Their JSON Schemas, for receivers in other languages, stand in `proto/schemas/`, one file for each type; a test holds
//! each against its type.

use jiff::Timestamp;

use crate::outcome::OutcomeCounts;
use crate::{BatchId, EndState, Receipt, Slate};

/// Type of the one end event of each batch.
pub const BATCH_ENDED: &str = "tipoff.batch.ended.v1";

/// A CloudEvents 1.0 envelope in JSON form.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloudEvent<T> {
    /// Always `1.0`.
    pub specversion: String,
    /// `{batch_id}/end` for end events: a receiver may drop what it has seen.
    pub id: String,
    /// Who says so.
    pub source: String,
    /// What kind of event, with its version.
    #[serde(rename = "type")]
    pub kind: String,
    /// The slate, `nba/2026-01-23`.
    pub subject: String,
    /// When it happened.
    pub time: Timestamp,
    /// Always `application/json`.
    pub datacontenttype: String,
    /// The payload.
    pub data: T,
}

/// A batch has ended. Receivers drop lower generations of a slate than they have seen.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchEnded {
    /// The batch.
    pub batch_id: BatchId,
    /// Its slate.
    pub slate: Slate,
    /// Its generation.
    pub generation: u64,
    /// How it ended.
    pub status: EndState,
    /// Rows that became active.
    pub record_count: u64,
    /// Jobs by outcome.
    pub jobs: OutcomeCounts,
    /// Ties the event to the request that opened the batch.
    pub correlation_id: String,
    /// The receipt.
    pub receipt: Receipt,
}

impl CloudEvent<BatchEnded> {
    /// The end event of a batch: its id follows from the batch alone, so that a repeat is recognised.
    pub fn batch_ended(receipt: &Receipt, correlation_id: &str) -> Self {
        Self {
            specversion: "1.0".to_owned(),
            id: format!("{}/end", receipt.batch_id),
            source: "tipoff".to_owned(),
            kind: BATCH_ENDED.to_owned(),
            subject: receipt.slate.to_string(),
            time: receipt.decided_at,
            datacontenttype: "application/json".to_owned(),
            data: BatchEnded {
                batch_id: receipt.batch_id.clone(),
                slate: receipt.slate,
                generation: receipt.generation,
                status: receipt.verdict.state,
                record_count: receipt.published,
                jobs: receipt.jobs,
                correlation_id: correlation_id.to_owned(),
                receipt: receipt.clone(),
            },
        }
    }
}
