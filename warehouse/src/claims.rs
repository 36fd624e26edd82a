//! Work that several processes share: each piece is claimed, renewed and ended as a run of its own.
//!
//! A claim is a lease: whoever dies loses it after so many seconds, and the next one takes the piece over under the same
//! run. A piece that has ended keeps its end; trying it again is another attempt with another run (incident 95).

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use crate::Warehouse;
use crate::error::{Doing, Result};
use crate::history::{Args, fetch};
use crate::runs::{RunRecord, run};
use crate::sqlite::{Conn, Durability};
use crate::text;

/// A piece of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What is done: the runs' stage.
    pub stage: String,
    /// To which date.
    pub game_date: Date,
}

/// Answer to a claim.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// It is yours, under this run.
    Yours {
        /// The run's name.
        run_id: String,
        /// Who had it before and lost it.
        before: Option<String>,
    },
    /// Somebody else is at it.
    Held {
        /// When the claim lapses unless it is renewed.
        until: Timestamp,
    },
    /// The newest attempt has ended, and it may not be tried again.
    Ended(Box<RunRecord>),
}

impl Piece {
    fn prefix(&self) -> String {
        format!("{}/{}/", self.stage, self.game_date)
    }

    fn attempt(&self, number: usize) -> String {
        format!("{}{number}", self.prefix())
    }
}

impl Warehouse {
    /// Claims a piece for `owner`. `again` says of a newest attempt that has ended whether another one may follow.
    pub async fn claim_piece(
        &self,
        piece: &Piece,
        owner: &str,
        ttl: SignedDuration,
        now: Timestamp,
        again: impl Fn(&RunRecord) -> bool + Send,
    ) -> Result<Claim> {
        let mut tx = self.store().write(Durability::Normal).await?;
        let newest = newest_attempt(&mut tx, piece).await?;
        let mut before = None;
        let run_id = match newest {
            None => piece.attempt(1),
            Some(run) if run.status != "running" => {
                if !again(&run) {
                    return Ok(Claim::Ended(Box::new(run)));
                }
                let number = run.run_id.rsplit('/').next().and_then(|n| n.parse::<usize>().ok()).unwrap_or(1);
                piece.attempt(number + 1)
            }
            Some(run) => {
                let until = lapses_at(&run, ttl);
                let holder = run.counts["owner"].as_str().filter(|holder| *holder != owner);
                if until > now && holder.is_some() {
                    return Ok(Claim::Held { until });
                }
                before = holder.map(str::to_owned);
                run.run_id
            }
        };
        sqlx::query(include_str!("../sql/start_run.sql"))
            .bind(&run_id)
            .bind(&piece.stage)
            .bind(text::date(piece.game_date))
            .bind(None::<String>)
            .bind(text::instant(now))
            .execute(&mut *tx)
            .await
            .doing("claim a piece of work")?;
        renew(&mut tx, &run_id, owner, now, true).await?;
        tx.commit().await.committing("claim a piece of work")?;
        Ok(Claim::Yours { run_id, before })
    }

    /// Prolongs a claim; false when it is somebody else's by now, or has ended.
    pub async fn renew_piece(&self, run_id: &str, owner: &str, now: Timestamp) -> Result<bool> {
        let mut tx = self.store().write(Durability::Normal).await?;
        let renewed = renew(&mut tx, run_id, owner, now, false).await?;
        tx.commit().await.committing("renew a claim")?;
        Ok(renewed)
    }

    /// The newest attempt at a piece.
    pub async fn newest_attempt(&self, piece: &Piece) -> Result<Option<RunRecord>> {
        let mut tx = self.store().read().await?;
        newest_attempt(&mut tx, piece).await
    }
}

/// When a claim lapses; one that was never renewed has lapsed.
fn lapses_at(run: &RunRecord, ttl: SignedDuration) -> Timestamp {
    let renewed: Option<Timestamp> = run.counts["renewed_at"].as_str().and_then(|at| at.parse().ok());
    renewed.and_then(|at| at.checked_add(ttl).ok()).unwrap_or(run.started_at)
}

async fn newest_attempt(conn: &mut Conn, piece: &Piece) -> Result<Option<RunRecord>> {
    let prefix = piece.prefix();
    // '0' follows '/': everything that begins with the prefix.
    let end = format!("{}0", prefix.trim_end_matches('/'));
    let args = Args::default().with(prefix).with(end);
    let sql = include_str!("../sql/newest_claim.sql");
    Ok(fetch(conn, sql, args, "runs", "look for a claim", run).await?.pop())
}

async fn renew(conn: &mut Conn, run_id: &str, owner: &str, now: Timestamp, takes_over: bool) -> Result<bool> {
    let done = sqlx::query(include_str!("../sql/renew_claim.sql"))
        .bind(run_id)
        .bind(owner)
        .bind(text::instant(now))
        .bind(takes_over)
        .execute(conn)
        .await
        .doing("renew a claim")?;
    Ok(done.rows_affected() > 0)
}
