//! What the verdict does to the tables: short statements inside the one transaction.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proto::league_time::league_date;
use proto::verdict::{Carried, Health, VerdictReason};
use proto::{Code, EndState, GameKey, Receipt, RowKey, RunMode, Sha256, Verdict};
use protocol::Closing;
use protocol::verdict::{VerdictInput, decide};

use super::account::Account;
use super::stage::STARTED;
use super::{PublicationHead, Staying};
use crate::batches::{self, BatchRecord};
use crate::error::{Doing, Error, Result};
use crate::history::{self, Args, fetch};
use crate::predictions::{ActiveRow, active_row};
use crate::sqlite::Conn;
use crate::sqlite::bulk;
use crate::{crash, text};

/// Codes whose jobs make the active rows of their keys inactive, with the code as the reason.
const INVALIDATING: [Code; 2] = [Code::InjuredOut, Code::GamePostponed];

/// Rows of a live run whose game has begun.
const GAME_STARTED: &str = "game_started";

/// One batch before the verdict transaction.
pub(super) struct Ruling<'a> {
    pub(super) head: &'a PublicationHead,
    pub(super) run_mode: RunMode,
    pub(super) batch: Option<&'a BatchRecord>,
    pub(super) account: &'a Account,
    pub(super) now: Timestamp,
}

/// What a publication changed.
#[derive(Default)]
struct Effect {
    published: u64,
    refused: BTreeMap<String, u64>,
    carried: Vec<Carried>,
    invalidated: BTreeMap<String, u64>,
    by_system: BTreeMap<String, u64>,
    by_market: BTreeMap<String, u64>,
    by_game: BTreeMap<String, u64>,
    by_line_source: BTreeMap<String, u64>,
}

/// A row of another batch that stays active.
struct Stays {
    row: ActiveRow,
    /// Whether its key has a job in this batch.
    has_job: bool,
}

impl Stays {
    fn carried(&self) -> Option<Carried> {
        let RowKey { game, player, market, system_id } = &self.row.key;
        let key = format!("{game}|{player}|{market}|{system_id}");
        self.has_job.then(|| Carried { key, batch_id: self.row.batch_id.clone() })
    }
}

/// The slate's active rows after the change, read back.
#[derive(Default)]
struct Active {
    of_batch: u64,
    of_others: u64,
    /// Hashes of the batch's rows, one behind the other.
    ours: Vec<u8>,
    theirs: Vec<u8>,
}

/// The hashes of a receipt.
struct Hashes {
    rows: Sha256,
    slate: Sha256,
}

impl Active {
    fn hashes(&self) -> Hashes {
        let each =
            |bytes: &[u8]| bytes.as_chunks().0.iter().copied().map(Sha256::from_bytes).collect::<Vec<_>>();
        let (ours, theirs) = (each(&self.ours), each(&self.theirs));
        let rows = Sha256::of_all(ours.clone());
        let slate = if theirs.is_empty() { rows } else { Sha256::of_all([ours, theirs].concat()) };
        Hashes { rows, slate }
    }
}

impl Ruling<'_> {
    /// Decides, changes the slate if the verdict allows it, and writes the verdict with everything around it. What is
    /// only computed is computed while the database is at work.
    pub(super) async fn apply(
        &self,
        conn: &mut Conn,
        closing: &Closing,
        health: impl FnOnce(Staying) -> Option<Health> + Send,
    ) -> Result<Receipt> {
        let verdict = self.decide(conn, closing).await?;
        let is_published = verdict.state.is_published();
        let mut effect = self.change(conn, &verdict).await?;
        let stays = self.staying(conn).await?;
        let carries = is_published && !stays.is_empty();
        if carries {
            effect.carried = stays.iter().filter_map(Stays::carried).collect();
        }
        let staying = Staying { rows: stays.into_iter().map(|stays| stays.row).collect(), is_published };
        let (active, health) = futures::join!(self.active(conn), async { health(staying) });
        let active = active?;
        if active.of_batch != effect.published {
            return Err(Error::Inconsistent {
                what: format!(
                    "batch `{}` published {} rows, {} of them are active",
                    self.head.batch_id, effect.published, active.of_batch
                ),
            });
        }
        let outcomes = self.write_outcomes(conn, is_published, carries);
        let (written, hashes) = futures::join!(outcomes, async { active.hashes() });
        written?;
        let receipt = self.receipt(verdict, effect, &active, hashes, health);
        self.write_verdict(conn, &receipt).await?;
        self.write_run(conn, &receipt).await?;
        Ok(receipt)
    }

    async fn change(&self, conn: &mut Conn, verdict: &Verdict) -> Result<Effect> {
        if verdict.state.is_published() {
            return self.publish(conn).await;
        }
        Ok(Effect { refused: self.all_refused(verdict), ..Effect::default() })
    }

    fn generation(&self) -> u64 {
        self.batch.map_or(0, |batch| batch.generation)
    }

    /// A batch without a place in the slate's order may not publish: its row says `reset`.
    async fn decide(&self, conn: &mut Conn, closing: &Closing) -> Result<Verdict> {
        let reset = |sentence: &str| Verdict {
            state: EndState::Reset,
            reason: VerdictReason::Reset,
            sentence: sentence.to_owned(),
        };
        let Some(batch) = self.batch else {
            return Ok(reset("the batch was never registered in this warehouse; the previous slate stays"));
        };
        if batch.withdrawn.is_some() {
            return Ok(reset("the batch was withdrawn by its opener; the previous slate stays"));
        }
        if batch.slate != self.head.slate {
            return Err(Error::Inconsistent {
                what: format!(
                    "batch `{}` is registered for slate `{}`, not `{}`",
                    batch.batch_id, batch.slate, self.head.slate
                ),
            });
        }
        let slate = batches::slate_record(conn, self.head.slate).await?;
        Ok(decide(&VerdictInput {
            closing,
            generation: batch.generation,
            published_generation: slate.published_generation,
            jobs: &self.account.jobs,
            reasons: &self.account.reasons,
        }))
    }

    /// Rows that were staged and are thrown away carry the verdict's reason; with the other codes they add up.
    fn all_refused(&self, verdict: &Verdict) -> BTreeMap<String, u64> {
        let mut refused = self.account.refused.clone();
        if self.account.rows_staged > 0 {
            *refused.entry(verdict.reason.to_string()).or_default() += self.account.rows_staged;
        }
        refused.retain(|_, count| *count > 0);
        refused
    }

    async fn publish(&self, conn: &mut Conn) -> Result<Effect> {
        let mut effect = Effect { refused: self.account.refused.clone(), ..Effect::default() };
        let started = self.drop_started(conn).await?;
        let late = self.count_groups(&started, &mut effect);
        if late > 0 {
            effect.refused.insert(GAME_STARTED.to_owned(), late);
        }
        effect.refused.retain(|_, count| *count > 0);
        let (published, before) = self.insert(conn).await?;
        effect.published = published;
        crash::point("verdict.inserted");
        self.take_over(conn, before).await?;
        crash::point("verdict.superseded");
        effect.invalidated = self.invalidate(conn).await?;
        // Incident 27: rows that were staged and did not arrive are a failure, never a success with zero rows.
        if effect.published != self.account.rows_staged - late {
            return Err(Error::Inconsistent {
                what: format!(
                    "batch `{}` staged {} rows, {late} came too late, {} were written",
                    self.head.batch_id, self.account.rows_staged, effect.published
                ),
            });
        }
        self.move_slate(conn).await?;
        Ok(effect)
    }

    /// A live run leaves games alone that have begun by the warehouse's clock; a backfill is exempt. Answers which.
    async fn drop_started(&self, conn: &mut Conn) -> Result<BTreeSet<GameKey>> {
        let date = self.head.slate.game_date;
        if date < league_date(self.now) {
            return Ok(BTreeSet::new());
        }
        let tips = history::tips_on(conn, date, self.now).await?;
        let started: Vec<GameKey> =
            tips.into_iter().filter(|(_, tip)| *tip <= self.now).map(|(game, _)| game).collect();
        if started.is_empty() {
            return Ok(BTreeSet::new());
        }
        bulk::insert(conn, &STARTED, &started, |game, cells| {
            cells.text(game);
        })
        .await?;
        for sql in
            [include_str!("../../sql/drop_started.sql"), include_str!("../../sql/drop_started_lines.sql")]
        {
            sqlx::query(sql).execute(&mut *conn).await.doing("leave out games that have begun")?;
        }
        Ok(started.into_iter().collect())
    }

    /// Counts the rows that will be written by what the receipt lists them by; answers how many come too late.
    fn count_groups(&self, started: &BTreeSet<GameKey>, effect: &mut Effect) -> u64 {
        let mut late = 0;
        for (group, count) in &self.account.groups {
            if started.contains(&group.game) {
                late += count;
                continue;
            }
            *effect.by_system.entry(group.system_id.to_string()).or_default() += count;
            *effect.by_market.entry(group.market.to_string()).or_default() += count;
            *effect.by_game.entry(group.game.to_string()).or_default() += count;
            *effect.by_line_source.entry(group.line_source.to_string()).or_default() += count;
        }
        late
    }

    /// The new rows become the active ones of their keys.
    async fn take_over(&self, conn: &mut Conn, before: i64) -> Result<()> {
        sqlx::query(include_str!("../../sql/take_over.sql"))
            .bind(before)
            .bind(as_i64(self.generation()))
            .execute(conn)
            .await
            .doing("take over from the active rows")?;
        Ok(())
    }

    async fn invalidate(&self, conn: &mut Conn) -> Result<BTreeMap<String, u64>> {
        let date = text::date(self.head.slate.game_date);
        let mut invalidated = BTreeMap::new();
        let meant = |code: &Code| self.account.reasons.contains_key(code.as_str());
        for code in INVALIDATING.into_iter().filter(meant) {
            let done = sqlx::query(include_str!("../../sql/invalidate.sql"))
                .bind(text::instant(self.now))
                .bind(code.as_str())
                .bind(&date)
                .execute(&mut *conn)
                .await
                .doing("invalidate rows")?;
            if done.rows_affected() == 0 {
                continue;
            }
            invalidated.insert(code.to_string(), done.rows_affected());
            sqlx::query(include_str!("../../sql/drop_invalidated.sql"))
                .bind(&date)
                .bind(code.as_str())
                .execute(&mut *conn)
                .await
                .doing("set invalidated rows aside")?;
        }
        Ok(invalidated)
    }

    /// Writes the lines and rows; answers how many rows, and the number before the first line.
    async fn insert(&self, conn: &mut Conn) -> Result<(u64, i64)> {
        let date = text::date(self.head.slate.game_date);
        sqlx::query(include_str!("../../sql/insert_keys.sql"))
            .bind(&date)
            .execute(&mut *conn)
            .await
            .doing("write the keys of the new rows")?;
        let before: i64 = sqlx::query_scalar(include_str!("../../sql/newest_line.sql"))
            .fetch_one(&mut *conn)
            .await
            .doing("number the lines of the new rows")?;
        sqlx::query(include_str!("../../sql/insert_lines.sql"))
            .bind(before)
            .bind(self.head.batch_id.to_string())
            .bind(as_i64(self.generation()))
            .bind(self.head.slate.sport.as_str())
            .bind(date)
            .bind(self.run_mode.as_str())
            .bind(text::instant(self.now))
            .execute(&mut *conn)
            .await
            .doing("write the lines of the new rows")?;
        let done = sqlx::query(include_str!("../../sql/insert_predictions.sql"))
            .bind(before)
            .execute(conn)
            .await
            .doing("write the new rows")?;
        Ok((done.rows_affected(), before))
    }

    /// What is active of other batches, after the change.
    async fn staying(&self, conn: &mut Conn) -> Result<Vec<Stays>> {
        let args =
            Args::default().with(as_i64(self.generation())).with(text::date(self.head.slate.game_date));
        let sql = include_str!("../../sql/staying_rows.sql");
        fetch(conn, sql, args, "predictions", "read the rows that stay active", |r| {
            Ok(Stays { row: active_row(r)?, has_job: r.flag()? })
        })
        .await
    }

    async fn move_slate(&self, conn: &mut Conn) -> Result<()> {
        let done = sqlx::query(include_str!("../../sql/publish_slate.sql"))
            .bind(self.head.slate.sport.as_str())
            .bind(text::date(self.head.slate.game_date))
            .bind(as_i64(self.generation()))
            .bind(self.head.batch_id.to_string())
            .execute(conn)
            .await
            .doing("move the slate to the new generation")?;
        if done.rows_affected() == 1 {
            return Ok(());
        }
        Err(Error::Inconsistent {
            what: format!("slate `{}` would not move to generation {}", self.head.slate, self.generation()),
        })
    }

    /// Reads back what is active now; the hashes are columns, written when the rows were built.
    async fn active(&self, conn: &mut Conn) -> Result<Active> {
        let date = text::date(self.head.slate.game_date);
        let args = Args::default().with(as_i64(self.generation())).with(date);
        let sql = include_str!("../sqlite/active_hashes.sql");
        let doing = "read back the active rows";
        let found = fetch(conn, sql, args, "predictions", doing, |r| {
            let (of_batch, ours) = (r.narrow()?, r.blob()?);
            let (of_others, theirs) = (r.narrow()?, r.blob()?);
            Ok(Active { of_batch, of_others, ours, theirs })
        })
        .await?;
        Ok(found.into_iter().next().unwrap_or_default())
    }

    fn receipt(
        &self,
        verdict: Verdict,
        effect: Effect,
        active: &Active,
        hashes: Hashes,
        health: Option<Health>,
    ) -> Receipt {
        Receipt {
            batch_id: self.head.batch_id.clone(),
            slate: self.head.slate,
            generation: self.generation(),
            verdict,
            jobs: self.account.jobs,
            reasons: self.account.reasons.clone(),
            rows_owed: self.account.rows_owed,
            published: effect.published,
            refused: effect.refused,
            carried: effect.carried,
            invalidated: effect.invalidated,
            by_system: effect.by_system,
            by_market: effect.by_market,
            by_game: effect.by_game,
            by_line_source: effect.by_line_source,
            active: active.of_batch + active.of_others,
            rows_sha256: hashes.rows.to_string(),
            slate_sha256: hashes.slate.to_string(),
            health,
            decided_at: self.now,
        }
    }

    /// `carries`: a row of another batch stays active; only then can one be carried.
    async fn write_outcomes(&self, conn: &mut Conn, published: bool, carries: bool) -> Result<()> {
        sqlx::query(include_str!("../../sql/insert_outcomes.sql"))
            .bind(self.head.batch_id.to_string())
            .bind(self.head.slate.sport.as_str())
            .bind(text::date(self.head.slate.game_date))
            .bind(as_i64(self.generation()))
            .bind(text::instant(self.now))
            .bind(published)
            .bind(carries)
            .execute(conn)
            .await
            .doing("write the job outcomes")?;
        Ok(())
    }

    async fn write_verdict(&self, conn: &mut Conn, receipt: &Receipt) -> Result<()> {
        let json = serde_json::to_string(receipt).map_err(|e| Error::Inconsistent {
            what: format!("the receipt of batch `{}` cannot be written: {e}", receipt.batch_id),
        })?;
        let done = sqlx::query(include_str!("../../sql/write_verdict.sql"))
            .bind(receipt.batch_id.to_string())
            .bind(receipt.slate.sport.as_str())
            .bind(text::date(receipt.slate.game_date))
            .bind(receipt.verdict.state.as_str())
            .bind(receipt.verdict.reason.as_str())
            .bind(&receipt.verdict.sentence)
            .bind(json)
            .bind(text::instant(self.now))
            .execute(conn)
            .await
            .doing("write the verdict")?;
        if done.rows_affected() == 1 {
            return Ok(());
        }
        Err(Error::Inconsistent { what: format!("batch `{}` has a verdict already", receipt.batch_id) })
    }

    /// Closes the batch's run record on every path (incident 10).
    async fn write_run(&self, conn: &mut Conn, receipt: &Receipt) -> Result<()> {
        let verdict = &receipt.verdict;
        let (status, class) = match verdict.state {
            EndState::Complete => ("success", None),
            EndState::Partial => ("partial", None),
            EndState::Reset => ("cancelled", None),
            EndState::Failed => ("failed", Some(error_class(verdict.reason))),
        };
        let counts = serde_json::json!({
            "jobs": receipt.jobs,
            "rows_owed": receipt.rows_owed,
            "published": receipt.published,
            "active": receipt.active,
        });
        sqlx::query(include_str!("../../sql/finish_batch_run.sql"))
            .bind(receipt.batch_id.to_string())
            .bind(text::date(receipt.slate.game_date))
            .bind(status)
            .bind(text::instant(self.now))
            .bind(counts.to_string())
            .bind((verdict.state != EndState::Complete).then_some(&verdict.sentence))
            .bind(class)
            .execute(conn)
            .await
            .doing("close the run record")?;
        Ok(())
    }
}

/// What kind of failure a failed verdict is, for the run record.
fn error_class(reason: VerdictReason) -> &'static str {
    match reason {
        VerdictReason::NothingPredicted => "input",
        VerdictReason::Coverage => "upstream",
        VerdictReason::Finalizer => "bug",
        _ => "clean_up",
    }
}

fn as_i64(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
