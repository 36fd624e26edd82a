//! Batches as the warehouse knows them: registration gives a number, a verdict ends it, nothing else changes.

use jiff::Timestamp;
use jiff::civil::Date;
use proto::verdict::VerdictReason;
use proto::{BatchId, EndState, OpenerToken, Receipt, Slate, Verdict};
use sqlx::{QueryBuilder, Row, Sqlite};

use crate::Warehouse;
use crate::crash;
use crate::error::{Doing, Error, Result};
use crate::history::{Args, fetch};
use crate::sqlite::reader::Reader;
use crate::sqlite::{Conn, Durability};
use crate::text;

/// What an opener registers before it loads anything.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The batch.
    pub batch_id: BatchId,
    /// Its slate.
    pub slate: Slate,
    /// Proof of who opened it.
    pub opener: OpenerToken,
    /// The request as JSON, from which a lost batch can be started again.
    pub request: String,
    /// What the load will be as of.
    pub as_of: Timestamp,
    /// The caller's clock.
    pub now: Timestamp,
}

/// Answer of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// Registered under this number of the slate; repeating the call repeats the number.
    Generation(u64),
    /// The id belongs to another opener: withdraw and take the next second.
    IdTaken,
}

/// A batch's row.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchRecord {
    /// The batch.
    pub batch_id: BatchId,
    /// Its slate.
    pub slate: Slate,
    /// Its number among the slate's; 0 for one that was never registered.
    pub generation: u64,
    /// The request as JSON.
    pub request: Option<String>,
    /// What it was loaded as of.
    pub as_of: Option<Timestamp>,
    /// When it was registered.
    pub registered_at: Option<Timestamp>,
    /// When and why it was withdrawn; its number stays used.
    pub withdrawn: Option<(Timestamp, String)>,
    /// How it ended.
    pub verdict: Option<Verdict>,
    /// What it did.
    pub receipt: Option<Receipt>,
    /// When its end event was delivered.
    pub announced_at: Option<Timestamp>,
}

/// Which batches to list.
#[derive(Debug, Clone, Default)]
pub struct BatchFilter {
    /// Of one date.
    pub game_date: Option<Date>,
    /// That ended this way.
    pub state: Option<EndState>,
    /// Only those that were registered before this batch: the next page after it.
    pub before: Option<BatchId>,
}

/// What a slate has been given and what it shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SlateRecord {
    /// The last generation given.
    pub last_generation: u64,
    /// The published one; 0 for none.
    pub published_generation: u64,
    /// The batch that published it.
    pub published_batch: Option<BatchId>,
}

impl Warehouse {
    /// Registers a batch under its slate's next generation. Durable when it returns; repeatable by its opener.
    pub async fn register(&self, registration: &Registration) -> Result<Registered> {
        let Registration { batch_id, slate, opener, request, as_of, now } = registration;
        let mut tx = self.store().write(Durability::Full).await?;
        let known = sqlx::query(include_str!("../sql/batch_opener.sql"))
            .bind(batch_id.to_string())
            .fetch_optional(&mut *tx)
            .await
            .doing("look for the batch id")?;
        if let Some(row) = known {
            let mut r = Reader::new(&row, "batches");
            let same = r.opt_text()?.is_some_and(|known| known == opener.to_string());
            return Ok(if same { Registered::Generation(r.narrow()?) } else { Registered::IdTaken });
        }
        let row = sqlx::query(include_str!("../sql/next_generation.sql"))
            .bind(slate.sport.as_str())
            .bind(text::date(slate.game_date))
            .fetch_one(&mut *tx)
            .await
            .doing("give the next generation")?;
        let generation: i64 = row.get(0);
        sqlx::query(include_str!("../sql/register_batch.sql"))
            .bind(batch_id.to_string())
            .bind(slate.sport.as_str())
            .bind(text::date(slate.game_date))
            .bind(generation)
            .bind(opener.to_string())
            .bind(request)
            .bind(text::instant(*as_of))
            .bind(text::instant(*now))
            .execute(&mut *tx)
            .await
            .doing("register the batch")?;
        sqlx::query(include_str!("../sql/start_run.sql"))
            .bind(batch_id.to_string())
            .bind("predict")
            .bind(text::date(slate.game_date))
            .bind(batch_id.to_string())
            .bind(text::instant(*now))
            .execute(&mut *tx)
            .await
            .doing("open the batch's run record")?;
        crash::point("register.before_commit");
        tx.commit().await.committing("register the batch")?;
        crash::point("register.after_commit");
        Ok(Registered::Generation(u64::try_from(generation).unwrap_or(0)))
    }

    /// Notes that a registered batch was given up before it had jobs. Its row stays and its number stays used.
    pub async fn withdraw(&self, batch_id: &BatchId, reason: &str, now: Timestamp) -> Result<()> {
        let mut tx = self.store().write(Durability::Full).await?;
        let done = sqlx::query(include_str!("../sql/withdraw_batch.sql"))
            .bind(batch_id.to_string())
            .bind(reason)
            .bind(text::instant(now))
            .execute(&mut *tx)
            .await
            .doing("withdraw the batch")?;
        if done.rows_affected() == 0 {
            return match batch(&mut tx, batch_id).await? {
                // A repeat; the first note stays.
                Some(record) if record.withdrawn.is_some() => Ok(()),
                Some(_) => Err(Error::Inconsistent {
                    what: format!("batch `{batch_id}` has a verdict and cannot be withdrawn"),
                }),
                None => Err(Error::NotFound { what: format!("batch `{batch_id}`") }),
            };
        }
        sqlx::query(include_str!("../sql/cancel_run.sql"))
            .bind(batch_id.to_string())
            .bind(reason)
            .bind(text::instant(now))
            .execute(&mut *tx)
            .await
            .doing("close the batch's run record")?;
        tx.commit().await.committing("withdraw the batch")
    }

    /// A batch's row, if the warehouse knows it.
    pub async fn batch(&self, batch_id: &BatchId) -> Result<Option<BatchRecord>> {
        let mut tx = self.store().read().await?;
        batch(&mut tx, batch_id).await
    }

    /// How a batch ended and what it did; none while nobody has decided. Never "none" because of an error.
    pub async fn verdict(&self, batch_id: &BatchId) -> Result<Option<(Verdict, Receipt)>> {
        let record = self.batch(batch_id).await?;
        Ok(record.and_then(|record| record.verdict.zip(record.receipt)))
    }

    /// Batches, newest first.
    pub async fn batches(&self, filter: &BatchFilter, limit: u32) -> Result<Vec<BatchRecord>> {
        let mut query = newest_first(filter, limit);
        let mut tx = self.store().read().await?;
        let rows = query.build().fetch_all(&mut *tx).await.doing("list batches")?;
        rows.iter().map(|row| record(&mut Reader::new(row, "batches"))).collect()
    }

    /// Batches without an end: registered, not withdrawn, without a verdict. One that a state store which answers
    /// does not know is lost.
    pub async fn open_registered(&self) -> Result<Vec<BatchRecord>> {
        let mut tx = self.store().read().await?;
        let sql = include_str!("../sql/open_registered.sql");
        fetch(&mut tx, sql, Args::default(), "batches", "list open batches", record).await
    }

    /// What a slate has been given and what it shows; all zero for one that was never started.
    pub async fn slate_record(&self, slate: Slate) -> Result<SlateRecord> {
        let mut tx = self.store().read().await?;
        slate_record(&mut tx, slate).await
    }

    /// The generation whose rows a slate shows; 0 for none.
    pub async fn published_generation(&self, slate: Slate) -> Result<u64> {
        Ok(self.slate_record(slate).await?.published_generation)
    }

    /// Notes that the end event of a batch was delivered; the first note stays.
    pub async fn announced(&self, batch_id: &BatchId, now: Timestamp) -> Result<()> {
        let mut tx = self.store().write(Durability::Normal).await?;
        sqlx::query(include_str!("../sql/announced.sql"))
            .bind(batch_id.to_string())
            .bind(text::instant(now))
            .execute(&mut *tx)
            .await
            .doing("note the announcement")?;
        tx.commit().await.committing("note the announcement")
    }
}

/// The ids are found first, so that only the receipts of the page are read.
fn newest_first(filter: &BatchFilter, limit: u32) -> QueryBuilder<Sqlite> {
    const ORDER: &str = " ORDER BY COALESCE(registered_at, decided_at) DESC, batch_id DESC";
    let mut query = QueryBuilder::new(include_str!("../sql/batch_columns.sql"));
    query.push(" FROM batches WHERE batch_id IN (SELECT batch_id FROM batches WHERE TRUE");
    if let Some(date) = filter.game_date {
        query.push(" AND game_date = ").push_bind(text::date(date));
    }
    if let Some(state) = filter.state {
        query.push(" AND state = ").push_bind(state.as_str());
    }
    if let Some(before) = &filter.before {
        query.push(" AND (COALESCE(registered_at, decided_at), batch_id) < ");
        query.push("(SELECT COALESCE(registered_at, decided_at), batch_id FROM batches WHERE batch_id = ");
        query.push_bind(before.to_string()).push(")");
    }
    query.push(ORDER).push(" LIMIT ").push_bind(limit).push(")").push(ORDER);
    query
}

pub(crate) async fn batch(conn: &mut Conn, batch_id: &BatchId) -> Result<Option<BatchRecord>> {
    let args = Args::default().with(batch_id.to_string());
    let mut rows =
        fetch(conn, include_str!("../sql/batch.sql"), args, "batches", "read the batch", record).await?;
    Ok(rows.pop())
}

pub(crate) async fn slate_record(conn: &mut Conn, slate: Slate) -> Result<SlateRecord> {
    let args = Args::default().with(slate.sport.as_str()).with(text::date(slate.game_date));
    let sql = include_str!("../sql/slate_record.sql");
    let rows = fetch(conn, sql, args, "slates", "read the slate", |r| {
        Ok(SlateRecord {
            last_generation: r.narrow()?,
            published_generation: r.narrow()?,
            published_batch: r.opt_parsed()?,
        })
    })
    .await?;
    Ok(rows.into_iter().next().unwrap_or_default())
}

fn record(r: &mut Reader<'_>) -> Result<BatchRecord> {
    let batch_id: BatchId = r.parsed()?;
    let slate = Slate { sport: r.parsed()?, game_date: r.date()? };
    let generation = r.narrow()?;
    let request = r.opt_text()?;
    let as_of = r.opt_instant()?;
    let registered_at = r.opt_instant()?;
    let withdrawn = r.opt_instant()?.zip(r.opt_text()?);
    let state: Option<EndState> = r.opt_parsed()?;
    let reason: Option<VerdictReason> = r.opt_parsed()?;
    let sentence = r.opt_text()?;
    let verdict = match (state, reason, sentence) {
        (Some(state), Some(reason), Some(sentence)) => Some(Verdict { state, reason, sentence }),
        _ => None,
    };
    let announced_at = r.opt_instant()?;
    let receipt = if verdict.is_some() { Some(r.json()?) } else { None };
    Ok(BatchRecord {
        batch_id,
        slate,
        generation,
        request,
        as_of,
        registered_at,
        withdrawn,
        verdict,
        receipt,
        announced_at,
    })
}
