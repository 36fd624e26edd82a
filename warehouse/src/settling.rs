//! What the supervisor and `/status` ask all the time: small reads of batches that are not settled yet.

use proto::{BatchId, Slate};

use crate::Warehouse;
use crate::error::{Doing, Result};
use crate::history::{Args, fetch};
use crate::text;

/// A batch whose end was not announced yet: it is open, or its event is still to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsettled {
    /// The batch.
    pub batch_id: BatchId,
    /// True when a verdict stands.
    pub has_verdict: bool,
}

impl Warehouse {
    /// Batches that were neither withdrawn nor announced, by id.
    pub async fn unsettled_batches(&self) -> Result<Vec<Unsettled>> {
        let mut tx = self.store().read().await?;
        let sql = include_str!("../sql/unannounced.sql");
        fetch(&mut tx, sql, Args::default(), "batches", "list unsettled batches", |r| {
            Ok(Unsettled { batch_id: r.parsed()?, has_verdict: r.flag()? })
        })
        .await
    }

    /// How many rows of a slate are active.
    pub async fn active_count(&self, slate: Slate) -> Result<u64> {
        let mut tx = self.store().read().await?;
        let count: i64 = sqlx::query_scalar(include_str!("../sql/active_count.sql"))
            .bind(text::date(slate.game_date))
            .fetch_one(&mut *tx)
            .await
            .doing("count active rows")?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}
