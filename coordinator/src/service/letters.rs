//! Messages that went nowhere: events no sink took, and messages that were refused. Nothing is dropped silently.

use jiff::Timestamp;
use proto::api::Page;

use super::{Service, ServiceError};

/// Refused messages shown at most, newest first.
const MOST_REFUSED: u32 = 1_000;

/// One message.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Letter {
    /// `undelivered`: an event of ours that no sink took. `refused`: a message from outside.
    pub kind: String,
    /// The event's id, or where the message came from.
    pub source: String,
    /// What went wrong, the last time.
    pub error: String,
    /// Deliveries that were tried; none for a refused message.
    pub attempts: Option<u32>,
    /// When a refused message came.
    pub received_at: Option<Timestamp>,
    /// What it said.
    pub body: String,
}

impl Service {
    /// Dead letters of both directions.
    pub async fn dead_letters(&self) -> Result<Page<Letter>, ServiceError> {
        let undelivered = self.context.store.dead_letters().await?.into_iter().map(|(event, error)| Letter {
            kind: "undelivered".to_owned(),
            source: event.id,
            error,
            attempts: Some(event.attempts),
            received_at: None,
            body: event.payload,
        });
        let refused =
            self.context.warehouse.dead_letters(MOST_REFUSED).await?.into_iter().map(|letter| Letter {
                kind: "refused".to_owned(),
                source: letter.source,
                error: letter.error,
                attempts: None,
                received_at: Some(letter.received_at),
                body: letter.body,
            });
        Ok(Page { rows: undelivered.chain(refused).collect(), next: None })
    }
}
