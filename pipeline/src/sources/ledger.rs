//! The ledger of sources: breaker, credits, what was asked when, and the last answer, shared by all processes that
//! use one folder.
//!
//! Two processes that poll the same vendor must not spend a credit twice unknowingly. So a call is *claimed* before
//! it goes out and *settled* when it is back, each in one step under a file lock: whoever comes second finds the
//! claim and lets it be. The file is replaced as a whole; a crash leaves the old one or the new one, and at most a
//! reservation, which lapses.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::breaker::{Breaker, BreakerPolicy, Observed};
use super::credits::{CreditHeaders, CreditLimits, Credits, Reservation, Shortage};
use super::error::{Meaning, SourceError};
use super::{Event, Poll};
use crate::error::{Error, Result};

/// Format of the file.
const FORMAT: u32 = 1;
/// How long a process waits for the others; each holds the lock for a write of some kilobytes.
const LOCK_DEADLINE: Duration = Duration::from_secs(5);
/// Pause between two looks at a held lock.
const LOCK_PAUSE: Duration = Duration::from_millis(2);
/// A question that brought nothing is asked again after this pause, which doubles …
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(30);
/// … up to this one.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(15);
/// A call that was not settled for so long never will be; longer than any call may take.
const LOST: SignedDuration = SignedDuration::from_mins(10);
/// Moments and events older than this are forgotten.
const KEPT: SignedDuration = SignedDuration::from_hours(72);

/// An error as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// What.
    pub error: SourceError,
    /// When it was last seen.
    pub at: Timestamp,
    /// How often in a row.
    pub times: u32,
}

/// Everything remembered of one source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Account {
    /// Whether calls go out.
    pub breaker: Breaker,
    /// What calls may cost.
    pub credits: Credits,
    /// When each thing was last asked for.
    pub asked: BTreeMap<String, Timestamp>,
    /// Events the source has announced.
    pub events: BTreeMap<String, Event>,
    /// When it was first used: before that, silence is no loss.
    pub since: Option<Timestamp>,
    /// When it last answered.
    pub answered_at: Option<Timestamp>,
    /// When it last had something new.
    pub news_at: Option<Timestamp>,
    /// What went wrong since it last answered.
    pub trouble: Option<Seen>,
    /// Calls that are out, and since when.
    pub out: BTreeMap<String, Timestamp>,
    /// Questions that brought nothing, and when each may be asked again.
    pub again: BTreeMap<String, Again>,
}

/// When a question that brought nothing may be asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// How often it brought nothing in a row.
    pub times: u32,
    /// Not before this instant.
    pub at: Timestamp,
}

/// Why a call does not go out now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotNow {
    /// The source has a rest.
    Resting {
        /// Until then.
        until: Timestamp,
    },
    /// It was asked for since the call was planned, by this process or another one.
    Asked {
        /// When.
        at: Timestamp,
    },
    /// It brought nothing the last time, and is left alone for a while.
    Failed {
        /// Until then.
        until: Timestamp,
    },
    /// The credits do not reach.
    Short(Shortage),
}

impl std::fmt::Display for NotNow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Resting { until } => write!(f, "the source rests until {until:.0} after its failures"),
            Self::Asked { at } => write!(f, "it was asked for at {at:.0}"),
            Self::Failed { until } => write!(f, "it failed and is asked again at {until:.0}"),
            Self::Short(shortage) => shortage.fmt(f),
        }
    }
}

/// How a call came back.
#[derive(Debug, Clone, Default)]
pub struct Settlement {
    /// The vendor's figures.
    pub told: CreditHeaders,
    /// Events it announced.
    pub events: Vec<Event>,
    /// What went wrong.
    pub failed: Option<SourceError>,
    /// True when an answer had content that was not kept before.
    pub is_news: bool,
}

impl Account {
    /// When a planned call may go out at the earliest, as far as rests and pauses decide.
    pub fn earliest(&self, poll: &Poll, now: Timestamp, policy: &BreakerPolicy) -> Timestamp {
        let rest = self.breaker.admit(now, policy).err();
        let again = self.again.get(&poll.ask.key()).map(|again| again.at);
        [rest, again].into_iter().flatten().fold(poll.at, Timestamp::max)
    }

    /// Calls that never came back, because their process died, were not asked: they are due again.
    fn forget_lost_calls(&mut self, now: Timestamp) {
        let lost: Vec<String> =
            self.out.iter().filter(|(_, since)| **since + LOST <= now).map(|(key, _)| key.clone()).collect();
        for key in lost {
            self.forget_call(&key);
        }
    }

    fn forget_call(&mut self, key: &str) {
        if self.out.remove(key) == self.asked.get(key).copied() {
            self.asked.remove(key);
        }
    }

    /// Calls of somebody who is known to be gone: they are due again at once, and count as spent.
    pub fn disown(&mut self, who: &str, date: Date, now: Timestamp) {
        let ending = reservation_id("", who);
        let left: Vec<Reservation> =
            self.credits.reserved.iter().filter(|call| call.id.ends_with(&ending)).cloned().collect();
        for call in left {
            if let Some(key) = call.id.strip_suffix(&ending) {
                self.forget_call(key);
            }
            self.credits.settle(&call.id, CreditHeaders::default(), true, date, now);
        }
    }

    /// Takes a call in hand, if it may go out: one step with [`Account::settle`] as its other half.
    pub fn claim(
        &mut self,
        poll: &Poll,
        who: &str,
        now: Timestamp,
        date: Date,
        limits: &CreditLimits,
        policy: &BreakerPolicy,
    ) -> std::result::Result<(), NotNow> {
        self.forget_lost_calls(now);
        let key = poll.ask.key();
        if let Some(at) = self.asked.get(&key).filter(|at| **at >= poll.at) {
            return Err(NotNow::Asked { at: *at });
        }
        if let Some(again) = self.again.get(&key).filter(|again| again.at > now) {
            return Err(NotNow::Failed { until: again.at });
        }
        let breaker = self.breaker.admit(now, policy).map_err(|until| NotNow::Resting { until })?;
        let reservation = Reservation { id: reservation_id(&key, who), cost: poll.cost, at: now };
        self.credits.reserve(reservation, date, limits).map_err(NotNow::Short)?;
        self.breaker = breaker;
        self.since = self.since.or(Some(now));
        self.out.insert(key.clone(), now);
        self.asked.insert(key, now);
        self.asked.retain(|_, at| *at + KEPT > now);
        self.again.retain(|_, again| again.at + KEPT > now);
        self.events.retain(|_, event| event.commence + KEPT > now);
        Ok(())
    }

    /// Books a call that is back.
    pub fn settle(
        &mut self,
        poll: &Poll,
        who: &str,
        back: Settlement,
        now: Timestamp,
        date: Date,
        policy: &BreakerPolicy,
    ) {
        let no_answer = matches!(back.failed, Some(SourceError::TimedOut { .. } | SourceError::Unreachable));
        let may_have_cost = back.failed.is_none() || no_answer;
        self.credits.settle(&reservation_id(&poll.ask.key(), who), back.told, may_have_cost, date, now);
        self.out.remove(&poll.ask.key());
        for event in back.events {
            self.events.insert(event.id.clone(), event);
        }
        if back.is_news {
            self.news_at = Some(now);
        }
        let observed = back.failed.as_ref().map_or(Observed::Answer, |e| e.meaning().into());
        self.breaker = self.breaker.observe(observed, now, policy);
        match back.failed {
            Some(error) if error.meaning() != Meaning::ThisOnly => {
                let before = self.trouble.take().filter(|seen| seen.error.code() == error.code());
                let times = before.map_or(0, |seen| seen.times).saturating_add(1);
                self.trouble = Some(Seen { error, at: now, times });
                self.ask_again(&poll.ask.key(), now);
            }
            gone => {
                if gone == Some(SourceError::EventGone)
                    && let Some(event) = poll.ask.event()
                {
                    self.events.remove(event);
                }
                self.answered_at = Some(now);
                self.trouble = None;
                self.again.remove(&poll.ask.key());
            }
        }
    }

    /// A question that brought nothing was not asked: it is due again, after a pause that doubles.
    fn ask_again(&mut self, key: &str, now: Timestamp) {
        self.asked.remove(key);
        let times = self.again.get(key).map_or(0, |again| again.times).saturating_add(1);
        let pause = FIRST_PAUSE.checked_mul(1 << times.min(8).saturating_sub(1)).unwrap_or(LONGEST_PAUSE);
        self.again.insert(key.to_owned(), Again { times, at: now + pause.min(LONGEST_PAUSE) });
    }
}

fn reservation_id(key: &str, who: &str) -> String {
    format!("{key} by {who}")
}

/// All accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    format: u32,
    /// By the source's name.
    pub sources: BTreeMap<String, Account>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { format: FORMAT, sources: BTreeMap::new() }
    }
}

impl Ledger {
    /// The account of a source, empty when it was never used.
    pub fn account(&self, source: &str) -> Account {
        self.sources.get(source).cloned().unwrap_or_default()
    }

    /// The same as a planner should see it: calls that never came back are due again.
    pub fn account_at(&self, source: &str, now: Timestamp) -> Account {
        let mut account = self.account(source);
        account.forget_lost_calls(now);
        account
    }
}

/// The file of the ledger.
#[derive(Debug, Clone)]
pub struct LedgerFile {
    path: PathBuf,
}

impl LedgerFile {
    /// The ledger of a folder of stores.
    pub fn of(dir: &Path) -> Self {
        Self { path: dir.join("sources.json") }
    }

    /// The ledger as it is; an empty one where there is no file.
    pub async fn read(&self) -> Result<Ledger> {
        let path = self.path.clone();
        run(move || read(&path)).await
    }

    /// Changes the ledger in one step that no other process sees half of.
    pub async fn update<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Ledger) -> T + Send + 'static,
    ) -> Result<T> {
        let path = self.path.clone();
        let lock = lock(&path).await?;
        run(move || {
            // Held until the change is on the disk, even if nobody waits for it any more.
            let _lock = lock;
            let before = read(&path)?;
            let mut ledger = before.clone();
            let answer = change(&mut ledger);
            if ledger != before {
                write(&path, &ledger)?;
            }
            Ok(answer)
        })
        .await
    }
}

async fn run<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Error::Invalid(format!("the ledger of sources was not reached: {e}")))?
}

/// Locks a file beside the ledger: the ledger itself is replaced, and a lock on a replaced file binds nobody.
async fn lock(path: &Path) -> Result<File> {
    let path = path.with_extension("lock");
    let began = Instant::now();
    loop {
        let at = path.clone();
        if let Some(file) = run(move || try_lock(&at)).await? {
            return Ok(file);
        }
        if began.elapsed() >= LOCK_DEADLINE {
            return Err(Error::Invalid(format!(
                "`{}` is held by another process for {} s; end the one that hangs",
                path.display(),
                LOCK_DEADLINE.as_secs()
            )));
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
}

/// The locked file; none while somebody else holds it.
fn try_lock(path: &Path) -> Result<Option<File>> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::write(folder))?;
    }
    let file = File::create(path).map_err(Error::write(path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(Error::write(path)(error)),
    }
}

/// A ledger that cannot be read is no empty one: forgetting what was spent would spend it again.
fn read(path: &Path) -> Result<Ledger> {
    let damaged = |why: String| {
        Error::Invalid(format!(
            "the ledger of sources `{}` {why}; move it aside to begin a new one, the vendor will tell its credits anew",
            path.display()
        ))
    };
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Ledger::default()),
        Err(error) => return Err(damaged(format!("cannot be read: {error}"))),
    };
    let ledger: Ledger =
        serde_json::from_slice(&bytes).map_err(|error| damaged(format!("is damaged: {error}")))?;
    if ledger.format != FORMAT {
        return Err(damaged(format!("has format {}, this program reads {FORMAT}", ledger.format)));
    }
    Ok(ledger)
}

fn write(path: &Path, ledger: &Ledger) -> Result<()> {
    let text = serde_json::to_vec_pretty(ledger)
        .map_err(|e| Error::Invalid(format!("the ledger of sources cannot be written: {e}")))?;
    replace(path, &text)
}

/// Writes a file so that after a crash there is the old one or the new one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(name);
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.and_then(|()| std::fs::rename(&beside, path)).map_err(|error| {
        let _ = std::fs::remove_file(&beside); // it may not be there
        Error::write(path)(error)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;
    use crate::sources::Ask;

    const DAY: Date = Date::constant(2026, 2, 18);
    const LIMITS: CreditLimits = CreditLimits { per_day: Some(10), keep: 0 };

    fn at(minutes: i64) -> Timestamp {
        "2026-02-18T20:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes)
    }

    fn poll(minutes: i64, event: &str) -> Poll {
        let ask = Ask::Odds { date: DAY, event: event.to_owned() };
        Poll { at: at(minutes), ask, cost: 4, about: String::new() }
    }

    fn claim(account: &mut Account, minutes: i64, event: &str) -> std::result::Result<(), NotNow> {
        let policy = BreakerPolicy::default();
        account.claim(&poll(minutes, event), "me", at(minutes), DAY, &LIMITS, &policy)
    }

    fn settle(account: &mut Account, minutes: i64, event: &str, failed: Option<SourceError>) {
        let told = CreditHeaders { last: Some(0), ..CreditHeaders::default() };
        let back = Settlement { told, failed, ..Settlement::default() };
        account.settle(&poll(minutes, event), "me", back, at(minutes), DAY, &BreakerPolicy::default());
    }

    #[test]
    fn a_claim_is_refused_for_one_reason_after_the_other() {
        let mut account = Account::default();
        claim(&mut account, 0, "e1").unwrap();
        assert_eq!(claim(&mut account, 0, "e1"), Err(NotNow::Asked { at: at(0) }));
        claim(&mut account, 0, "e2").unwrap();
        assert!(matches!(claim(&mut account, 0, "e3"), Err(NotNow::Short(_))), "8 of 10 credits are out");
        settle(&mut account, 0, "e1", Some(SourceError::Unavailable { status: 500 }));
        assert!(matches!(claim(&mut account, 0, "e1"), Err(NotNow::Failed { .. })), "it failed just now");
        claim(&mut account, 1, "e1").unwrap();
        settle(&mut account, 1, "e1", Some(SourceError::Forbidden));
        let rest = at(1) + BreakerPolicy::default().longest_rest;
        assert_eq!(claim(&mut account, 2, "e4"), Err(NotNow::Resting { until: rest }));
        let seen = account.trouble.as_ref().unwrap();
        assert_eq!((seen.error.code(), seen.times), ("forbidden", 1));
        assert_eq!(account.earliest(&poll(2, "e4"), at(2), &BreakerPolicy::default()), rest);
    }

    #[test]
    fn a_question_that_brings_nothing_is_asked_ever_more_seldom_and_an_answer_forgives() {
        let mut account = Account::default();
        let mut pauses = Vec::new();
        for _ in 0..8 {
            account.ask_again("odds e1", at(0));
            pauses.push(account.again["odds e1"].at.duration_since(at(0)).as_secs());
        }
        assert_eq!(pauses, [30, 60, 120, 240, 480, 900, 900, 900]);
        settle(&mut account, 1, "e1", None);
        assert!(account.again.is_empty() && account.answered_at == Some(at(1)));
    }

    #[test]
    fn a_gone_event_is_forgotten_and_no_trouble() {
        let mut account = Account::default();
        let event = Event { id: "e1".to_owned(), commence: at(0), home: String::new(), away: String::new() };
        account.events.insert("e1".to_owned(), event);
        settle(&mut account, 1, "e1", Some(SourceError::EventGone));
        assert!(account.events.is_empty() && account.trouble.is_none() && account.breaker.is_closed());
    }

    #[test]
    fn a_call_whose_process_died_is_due_again() {
        let mut account = Account::default();
        claim(&mut account, 0, "e1").unwrap();
        let ledger = Ledger { sources: [("x".to_owned(), account)].into(), ..Ledger::default() };
        assert!(ledger.account_at("x", at(9)).asked.contains_key("odds e1"));
        assert!(!ledger.account_at("x", at(10)).asked.contains_key("odds e1"));
        let mut account = ledger.account("x");
        settle(&mut account, 1, "e1", None);
        assert!(account.out.is_empty() && account.asked.contains_key("odds e1"));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn changes_of_many_tasks_are_all_there() {
        let dir = tempfile::tempdir().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..40 {
            let file = LedgerFile::of(dir.path());
            tasks.spawn(async move {
                file.update(move |ledger| {
                    *ledger
                        .sources
                        .entry("x".to_owned())
                        .or_default()
                        .asked
                        .entry(n.to_string())
                        .or_insert(at(n))
                })
                .await
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap().unwrap();
        }
        let ledger = LedgerFile::of(dir.path()).read().await.unwrap();
        assert_eq!(ledger.account("x").asked.len(), 40);
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "the ledger and its lock, no half-written file: {left:?}");
    }
}
