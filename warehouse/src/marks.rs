//! Late data: messages that were accepted and not acted upon yet, what was tried last, what is behind its inputs.
//!
//! A message is a run like any other: its name follows from the message, so a repeat is no second one; it is open
//! until somebody has acted on it, whatever process dies in between; and how it ended stands in `runs`.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use proto::league_time::start_of;
use proto::trigger::Trigger;
use proto::{JobId, Slate};
use sqlx::query_scalar;

use crate::Warehouse;
use crate::error::{Doing, Result};
use crate::history::{Args, fetch};
use crate::runs::{RunRecord, RunStart, run};
use crate::text;

/// Availability reports are believed for so many days at most.
const REPORT_DAYS: i32 = 120;

impl Warehouse {
    /// Opens the run that a message is; false for a repeat, which opens none. It needs no server: whoever follows finds
    /// it.
    pub async fn mark(&self, trigger: &Trigger, now: Timestamp) -> Result<bool> {
        let run_id = trigger.run_id();
        if self.run_exists(&run_id).await? {
            return Ok(false);
        }
        let run = RunStart {
            run_id,
            stage: trigger.kind.as_str().to_owned(),
            game_date: Some(trigger.game_date),
            batch_id: None,
            started_at: now,
        };
        self.run_start(&run).await?;
        Ok(true)
    }

    /// Runs that began at or after an instant and have no end yet, oldest first.
    pub async fn open_runs(&self, since: Timestamp) -> Result<Vec<RunRecord>> {
        let mut tx = self.store().read().await?;
        let args = Args::default().with(text::instant(since));
        fetch(&mut tx, include_str!("../sql/open_runs.sql"), args, "runs", "read open runs", run).await
    }

    /// Fingerprint of the inputs of each player's newest outcome, whatever it was and whether or not its batch was
    /// published: what was tried last.
    pub async fn newest_inputs(&self, slate: Slate) -> Result<BTreeMap<JobId, String>> {
        let mut tx = self.store().read().await?;
        let args = Args::default().with(slate.sport.as_str()).with(text::date(slate.game_date));
        let sql = include_str!("../sql/newest_inputs.sql");
        let rows = fetch(&mut tx, sql, args, "job_outcomes", "read what was tried last", |r| {
            Ok((JobId { player: r.parsed()?, game: r.parsed()? }, r.text()?))
        })
        .await?;
        Ok(rows.into_iter().collect())
    }

    /// True when something that features of a date are made of came in after the oldest of them was built. Reports
    /// that are older than a season's longest absence do not count.
    pub async fn features_are_behind(&self, game_date: Date) -> Result<bool> {
        let since = start_of(game_date.saturating_sub(REPORT_DAYS.days()));
        let mut tx = self.store().read().await?;
        query_scalar(include_str!("../sql/features_behind.sql"))
            .bind(text::date(game_date))
            .bind(self.contract_version())
            .bind(text::instant(since))
            .fetch_one(&mut *tx)
            .await
            .doing("ask whether features are behind their inputs")
    }
}
