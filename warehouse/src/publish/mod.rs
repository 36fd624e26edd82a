//! The verdict transaction: the one place where a batch ends and a slate changes.
//!
//! # What is promised
//! 1. Readers see the slate before or after, never between: everything is one transaction (incidents 19, 22, 36).
//! 2. One verdict per batch, first writer wins; whoever comes later gets the first one's (incident 19).
//! 3. Only keys of the batch's own jobs change; a key is game, player, market *and* system (incident 23).
//! 4. An old row gives way to a new one or to a reason, never to nothing (incidents 25, 26, 27).
//! 5. An older generation never publishes over a newer one.
//!
//! # Order of events
//! Rows and outcomes are loaded into temporary tables of the writer connection first, without any lock. Then one
//! transaction of short statements: a verdict is there → stop; decide; insert; let the new rows take over; invalidate;
//! read back what is active; write outcomes, receipt, verdict and run record; COMMIT, which waits for the disk.
//! A COMMIT whose answer is lost is settled by reading the verdict.

mod account;
mod apply;
mod dictionary;
mod loader;
mod shared;
mod stage;

use std::collections::BTreeSet;

use jiff::Timestamp;
use proto::verdict::Health;
use proto::{BatchId, Market, PredictionRow, Receipt, RunMode, Sha256, Slate, SystemId, Verdict};
use protocol::Closing;

use self::account::Account;
pub use self::account::JobOutcome;
use self::dictionary::Dictionary;
use self::loader::Loader;
use self::shared::{Numbered, numbered};
use crate::error::{Doing, Error, Result};
use crate::history::{Args, fetch};
use crate::predictions::{ActiveRow, StoredOutcome, outcome};
use crate::sqlite::Durability;
use crate::sqlite::bulk::Statement;
use crate::{Warehouse, batches, crash, text};

/// Whose publication this is.
#[derive(Debug, Clone)]
pub struct PublicationHead {
    /// The batch.
    pub batch_id: BatchId,
    /// Its slate.
    pub slate: Slate,
    /// Markets and systems it wanted: with its jobs they are the keys it may change.
    pub wanted: Vec<(Market, SystemId)>,
}

/// A whole publication at once.
#[derive(Debug, Clone)]
pub struct PublishRequest {
    /// Whose.
    pub head: PublicationHead,
    /// Why it ran.
    pub run_mode: RunMode,
    /// What was frozen when the batch was closed.
    pub closing: Closing,
    /// The staged rows.
    pub rows: Vec<PredictionRow>,
    /// The outcome of every job.
    pub outcomes: Vec<JobOutcome>,
    /// The slate's health, computed before.
    pub health: Option<Health>,
    /// Now, in the world: by it a game has begun.
    pub now: Timestamp,
}

/// How a batch ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// The verdict.
    pub verdict: Verdict,
    /// What it did.
    pub receipt: Receipt,
    /// True for the call that wrote it, false when it was there already.
    pub first: bool,
}

/// What stays of a slate after a verdict, for its health to be judged by.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Staying {
    /// Active rows of other batches.
    pub rows: Vec<ActiveRow>,
    /// Whether the batch's own rows are active beside them.
    pub is_published: bool,
}

/// A batch on its way into the temporary tables. It holds this process's writer; dropped, nothing happened.
#[derive(Debug)]
pub struct Publication {
    warehouse: Warehouse,
    loader: Loader,
    head: PublicationHead,
    wanted: BTreeSet<(Market, SystemId)>,
    generation: u64,
    account: Account,
    /// Lines loaded so far.
    lines: i64,
    systems: Dictionary<SystemId>,
    models: Dictionary<Sha256>,
}

impl Warehouse {
    /// Begins a publication that is loaded page by page.
    pub async fn begin_publication(&self, head: PublicationHead) -> Result<Publication> {
        let mut conn = self.store().writer().await?;
        stage::begin(&mut conn, &head.wanted).await?;
        let mut systems = Dictionary::of_systems();
        let names = systems.unknown(head.wanted.iter().map(|(_, system)| system));
        systems.learn(&mut conn, &names).await?;
        // Row ids contain the generation; it never changes once given, and is compared again under the lock.
        let generation = batches::batch(&mut conn, &head.batch_id).await?.map_or(0, |batch| batch.generation);
        let wanted = head.wanted.iter().cloned().collect();
        let loader = Loader::new(conn);
        Ok(Publication {
            warehouse: self.clone(),
            loader,
            head,
            wanted,
            generation,
            account: Account::default(),
            lines: 0,
            systems,
            models: Dictionary::of_models(),
        })
    }

    /// Ends a batch: publishes its rows if the verdict allows it, and writes the verdict in any case.
    pub async fn publish(&self, request: &PublishRequest) -> Result<Published> {
        let mut publication = self.begin_publication(request.head.clone()).await?;
        publication.add(&request.rows, &request.outcomes).await?;
        let health = |_| request.health.clone();
        publication.settle(&request.closing, request.run_mode, health, request.now).await
    }
}

impl Publication {
    /// Loads a page: outcomes of jobs with all of their rows. Takes no lock. What SQLite says about it may be the answer
    /// to a later call, for it is still at work when this returns: [`Publication::loaded`].
    pub async fn add<'a>(
        &mut self,
        rows: impl IntoIterator<Item = &'a PredictionRow>,
        outcomes: impl IntoIterator<Item = &'a JobOutcome>,
    ) -> Result<()> {
        let (rows, outcomes) = (Vec::from_iter(rows), Vec::from_iter(outcomes));
        let mut account = self.account.clone();
        let staged = stage::count(&mut account, &self.head, &self.wanted, &rows, &outcomes)?;
        let Numbered { lines, rows } = numbered(&rows, self.lines, &self.systems)?;
        let new = self.models.unknown(rows.iter().map(|(_, row)| &row.model_sha256));
        if !new.is_empty() {
            self.models.learn(self.loader.landed().await?, &new).await?;
        }
        let Self { loader, models, head, generation, .. } = self;
        put(loader, stage::lines(&lines)).await?;
        put(loader, stage::rows(&head.batch_id, *generation, models, &rows)).await?;
        put(loader, stage::outcomes(&staged)).await?;
        self.lines += lines.len() as i64;
        self.account = account;
        Ok(())
    }

    /// Waits until every page is loaded.
    pub async fn loaded(&mut self) -> Result<()> {
        self.loader.landed().await.map(drop)
    }

    /// Each player's newest outcome over the published batches, of players who have no job in this one: what health looks at
    /// too. Waits until every page is loaded.
    pub async fn outcomes_besides(&mut self) -> Result<Vec<StoredOutcome>> {
        let Slate { sport, game_date } = self.head.slate;
        let conn = self.loader.landed().await?;
        let args = Args::default().with(sport.as_str()).with(text::date(game_date));
        let sql = include_str!("../../sql/outcomes_besides.sql");
        let doing = "read the outcomes of the others";
        fetch(conn, sql, args, "job_outcomes", doing, outcome).await
    }

    /// Decides and writes, in one transaction. The slate's health is judged by what stays of it, while the database reads
    /// back what is active.
    pub async fn settle(
        mut self,
        closing: &Closing,
        run_mode: RunMode,
        health: impl FnOnce(Staying) -> Option<Health> + Send,
        now: Timestamp,
    ) -> Result<Published> {
        use sqlx::Connection;
        let conn = self.loader.landed().await?;
        crash::point("verdict.loaded");
        let mut tx =
            conn.begin_with(Durability::Full.begin()).await.doing("begin the verdict transaction")?;
        crash::point("verdict.begun");
        let batch = batches::batch(&mut tx, &self.head.batch_id).await?;
        if let Some((verdict, receipt)) =
            batch.as_ref().and_then(|batch| batch.verdict.clone().zip(batch.receipt.clone()))
        {
            tx.rollback().await.doing("leave the verdict transaction")?;
            return Ok(Published { verdict, receipt, first: false });
        }
        let generation = batch.as_ref().map_or(0, |batch| batch.generation);
        if generation != self.generation {
            return Err(Error::Inconsistent {
                what: format!("batch `{}` was registered while it was being published", self.head.batch_id),
            });
        }
        let (head, account, batch) = (&self.head, &self.account, batch.as_ref());
        let ruling = apply::Ruling { head, run_mode, batch, account, now };
        let receipt = ruling.apply(&mut tx, closing, health).await?;
        crash::point("verdict.before_commit");
        let committed = tx.commit().await.committing("commit the verdict");
        crash::point("verdict.after_commit");
        match committed {
            Ok(()) => Ok(Published { verdict: receipt.verdict.clone(), receipt, first: true }),
            Err(lost) => {
                drop(self.loader);
                self.warehouse.settled_after(lost, &receipt).await
            }
        }
    }
}

async fn put(loader: &mut Loader, statements: impl Iterator<Item = Result<Statement>>) -> Result<()> {
    for statement in statements {
        loader.put(statement?).await?;
    }
    Ok(())
}

impl Warehouse {
    /// After a lost COMMIT: what stands is what can be read.
    async fn settled_after(&self, lost: Error, ours: &Receipt) -> Result<Published> {
        match self.verdict(&ours.batch_id).await {
            Ok(Some((verdict, receipt))) => {
                let first = receipt == *ours;
                Ok(Published { verdict, receipt, first })
            }
            Ok(None) | Err(_) => Err(lost),
        }
    }
}
