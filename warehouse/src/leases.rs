//! Leases: somebody is working on something, and until when.
//!
//! The predecessor's locks had no end, so one killed process froze a night's odds (incident 29), and a lock that said
//! "done" kept new files out (30). Here a lease says who works, never what is done: it runs out by itself, is taken over
//! by whoever comes next, and carries a fence that counts its holders. A write names its lease and is refused in its own
//! transaction when somebody else has taken over since; the same statement renews it.

use jiff::{SignedDuration, Timestamp};

use crate::Warehouse;
use crate::error::{Doing, Error, Result};
use crate::history::{Args, fetch};
use crate::sqlite::reader::Reader;
use crate::sqlite::{Conn, Durability};
use crate::text;

/// No lease is given for longer.
pub const MAX_LEASE: SignedDuration = SignedDuration::from_mins(30);

/// What a caller wants to work on.
#[derive(Debug, Clone)]
pub struct LeaseRequest {
    /// What nobody else may work on meanwhile.
    pub resource: String,
    /// Who asks; a new name for every run, so that a successor is never taken for its predecessor.
    pub holder: String,
    /// How long it lasts unless renewed; cut to [`MAX_LEASE`].
    pub ttl: SignedDuration,
}

/// A lease that was given: proof to show with every write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What it is for.
    pub resource: String,
    /// Who has it.
    pub holder: String,
    /// The how-manieth holder this is.
    pub fence: i64,
    /// How long a renewal lasts.
    pub ttl: SignedDuration,
}

/// A row of `leases`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRecord {
    /// What it is for.
    pub resource: String,
    /// Who has or had it.
    pub holder: String,
    /// The how-manieth holder that is.
    pub fence: i64,
    /// When this holder got it.
    pub acquired_at: Timestamp,
    /// When this holder was heard of last.
    pub renewed_at: Timestamp,
    /// When it runs out.
    pub expires_at: Timestamp,
    /// When it was given back; none: in use, or its holder died.
    pub released_at: Option<Timestamp>,
}

/// What asking for a lease gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseAnswer {
    /// It is the caller's.
    Taken {
        /// The proof.
        lease: Lease,
        /// Who had it and never gave it back.
        abandoned: Option<LeaseRecord>,
    },
    /// Somebody else works.
    Held(LeaseRecord),
}

/// What to do with a request, given the row that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Decision {
    Take { fence: i64, abandoned: bool },
    Refuse,
}

/// The decision itself. A lease that was released or has run out is free; repeating a request gets the same lease.
fn decide(row: Option<&LeaseRecord>, holder: &str, now: Timestamp) -> Decision {
    let Some(row) = row else { return Decision::Take { fence: 1, abandoned: false } };
    let is_live = row.released_at.is_none() && now < row.expires_at;
    if row.holder == holder && is_live {
        return Decision::Take { fence: row.fence, abandoned: false };
    }
    if is_live {
        return Decision::Refuse;
    }
    Decision::Take { fence: row.fence + 1, abandoned: row.released_at.is_none() }
}

impl Warehouse {
    /// Asks for a lease, once; waiting is the caller's business.
    pub async fn acquire_lease(&self, request: &LeaseRequest, now: Timestamp) -> Result<LeaseAnswer> {
        let ttl = request.ttl.min(MAX_LEASE);
        let mut tx = self.store().write(Durability::Normal).await?;
        let row = lease_of(&mut tx, &request.resource).await?;
        let Decision::Take { fence, abandoned } = decide(row.as_ref(), &request.holder, now) else {
            return row.map(LeaseAnswer::Held).ok_or_else(|| lost(&request.resource));
        };
        sqlx::query(include_str!("../sql/put_lease.sql"))
            .bind(&request.resource)
            .bind(&request.holder)
            .bind(fence)
            .bind(text::instant(now))
            .bind(text::instant(now.saturating_add(ttl).unwrap_or(Timestamp::MAX)))
            .execute(&mut *tx)
            .await
            .doing("take a lease")?;
        tx.commit().await.committing("take a lease")?;
        let lease = Lease { resource: request.resource.clone(), holder: request.holder.clone(), fence, ttl };
        Ok(LeaseAnswer::Taken { lease, abandoned: row.filter(|_| abandoned) })
    }

    /// Gives a lease back. One that somebody else has taken over since is left alone.
    pub async fn release_lease(&self, lease: &Lease, now: Timestamp) -> Result<()> {
        let mut tx = self.store().write(Durability::Normal).await?;
        sqlx::query(include_str!("../sql/release_lease.sql"))
            .bind(&lease.resource)
            .bind(lease.fence)
            .bind(text::instant(now))
            .execute(&mut *tx)
            .await
            .doing("give a lease back")?;
        tx.commit().await.committing("give a lease back")
    }

    /// Leases that were not given back, oldest first: work under way, or holders that died.
    pub async fn open_leases(&self) -> Result<Vec<LeaseRecord>> {
        let mut tx = self.store().read().await?;
        let sql = include_str!("../sql/open_leases.sql");
        fetch(&mut tx, sql, Args::default(), "leases", "read leases", record).await
    }
}

/// Renews a lease inside the transaction that is about to write under it; refused when it is somebody else's.
pub(crate) async fn renew(conn: &mut Conn, lease: &Lease, now: Timestamp) -> Result<()> {
    let done = sqlx::query(include_str!("../sql/renew_lease.sql"))
        .bind(&lease.resource)
        .bind(lease.fence)
        .bind(text::instant(now))
        .bind(text::instant(now.saturating_add(lease.ttl).unwrap_or(Timestamp::MAX)))
        .execute(conn)
        .await
        .doing("renew a lease")?;
    if done.rows_affected() == 0 { Err(lost(&lease.resource)) } else { Ok(()) }
}

fn lost(resource: &str) -> Error {
    Error::LeaseLost { resource: resource.to_owned() }
}

async fn lease_of(conn: &mut Conn, resource: &str) -> Result<Option<LeaseRecord>> {
    let args = Args::default().with(resource.to_owned());
    let sql = include_str!("../sql/lease.sql");
    Ok(fetch(conn, sql, args, "leases", "read a lease", record).await?.pop())
}

fn record(r: &mut Reader<'_>) -> Result<LeaseRecord> {
    Ok(LeaseRecord {
        resource: r.text()?,
        holder: r.text()?,
        fence: r.int()?,
        acquired_at: r.instant()?,
        renewed_at: r.instant()?,
        expires_at: r.instant()?,
        released_at: r.opt_instant()?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    fn at(minute: u32) -> Timestamp {
        format!("2026-01-23T18:{minute:02}:00Z").parse().unwrap()
    }

    #[test]
    fn incident_29_a_lease_ends_by_itself_and_is_taken_over() {
        let row = LeaseRecord {
            resource: "ingest/odds/2026-01-23".to_owned(),
            holder: "a".to_owned(),
            fence: 4,
            acquired_at: at(0),
            renewed_at: at(0),
            expires_at: at(2),
            released_at: None,
        };
        let released = LeaseRecord { released_at: Some(at(1)), ..row.clone() };
        let take = |fence, abandoned| Decision::Take { fence, abandoned };
        for (row, holder, now, wanted) in [
            (None, "a", at(0), take(1, false)),
            (Some(&row), "a", at(1), take(4, false)),
            (Some(&row), "b", at(1), Decision::Refuse),
            // It has run out when the clock says so, for its holder too: somebody may have come and gone meanwhile.
            (Some(&row), "b", at(2), take(5, true)),
            (Some(&row), "a", at(2), take(5, true)),
            (Some(&released), "b", at(1), take(5, false)),
            (Some(&released), "a", at(1), take(5, false)),
        ] {
            assert_eq!(decide(row, holder, now), wanted, "{holder} at {now}");
        }
    }
}
