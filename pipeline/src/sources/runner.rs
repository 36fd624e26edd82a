//! Sources at work: plan, claim, ask, keep, settle, ingest.
//!
//! ```text
//! plan ──> claim (ledger) ──> ask ──> keep (disk) ──> settle (ledger) ──> ingest (warehouse)
//! ```
//!
//! Each source takes its turns by itself, so that one that hangs delays nobody. A crash before *keep* loses a call,
//! which is due again; after it, [`Runner::recover`] ingests what was kept. A warehouse that does not answer loses
//! nothing: files wait here, and on the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use proto::league_time::league_date;
use rules::lines::LinePolicy;
use serde::Serialize;
use tokio::sync::Mutex;
use warehouse::Warehouse;

use super::breaker::BreakerPolicy;
use super::error::SourceError;
use super::freshness::Expected;
use super::ledger::{Account, LedgerFile, NotNow, Settlement, replace};
use super::marks;
use super::past::{EVER, PastDay, is_answered};
use super::raw::{self, Kept, RawFolder};
use super::{Ask, Now, Plan, Poll, Reading, Reply, Source};
use crate::error::{Error, Result};
use crate::ingest::{self, FileReport, FileState, IngestOptions, RunLimits};

/// Longest a single question may take, all its pages and tries included.
const ASK_DEADLINE: Duration = Duration::from_secs(300);
/// What was asked for less than this before is not asked for again by hand.
const JUST_NOW: SignedDuration = SignedDuration::from_secs(60);
/// Longest a source waits for its next turn, so that a changed clock or ledger is noticed.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(60);
/// How long a turn waits for another process that ingests the same; then its files wait for the next turn.
const BUSY_WAIT: Duration = Duration::from_secs(2);
/// Shortest: a plan that is overdue because of a breaker must not spin.
const SHORTEST_WAIT: SignedDuration = SignedDuration::from_secs(5);

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum PollEnd {
    /// There was an answer.
    Answered {
        /// Answers and files with content that is new here.
        new: usize,
        /// Answers and files altogether.
        all: usize,
        /// Entries that are no quotes by the vendor's own word.
        not_used: BTreeMap<String, u64>,
    },
    /// There is nothing yet.
    Nothing,
    /// There was an error; what came before it is kept.
    Failed {
        /// Its stable name.
        code: &'static str,
        /// In words.
        sentence: String,
    },
    /// It was not asked.
    NotAsked {
        /// Why.
        sentence: String,
    },
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PollReport {
    /// The source.
    pub source: String,
    /// What was asked for, for people.
    pub about: String,
    /// The question; none for what is only said about a date.
    pub ask: Option<Ask>,
    /// How it ended.
    #[serde(flatten)]
    pub end: PollEnd,
}

/// What one or more turns did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CycleReport {
    /// Calls, in the order in which they came back.
    pub polls: Vec<PollReport>,
    /// Files that were ingested.
    pub files: Vec<FileReport>,
    /// League dates that new rows may be about.
    pub changed: BTreeSet<Date>,
    /// Of these, dates whose published slate is marked: whoever follows runs the players concerned again.
    pub marked: BTreeSet<Date>,
    /// Files that wait for the warehouse.
    pub waiting: usize,
    /// Why they wait.
    pub trouble: Option<String>,
}

impl CycleReport {
    pub(super) fn add(&mut self, other: Self) {
        self.polls.extend(other.polls);
        self.files.extend(other.files);
        self.changed.extend(other.changed);
        self.marked.extend(other.marked);
        self.waiting = other.waiting;
        self.trouble = other.trouble.or(self.trouble.take());
    }

    /// Rows that are new.
    pub fn new_rows(&self) -> u64 {
        self.files.iter().map(|file| file.new).sum()
    }

    /// True when nothing failed and nothing waits.
    pub fn is_clean(&self) -> bool {
        let failed = self.polls.iter().any(|poll| matches!(poll.end, PollEnd::Failed { .. }));
        !failed && self.trouble.is_none() && !self.files.iter().any(FileReport::needs_attention)
    }
}

/// Files to ingest.
pub(super) type Files = BTreeSet<PathBuf>;

/// Sources over one folder of stores.
pub struct Runner {
    sources: Vec<Arc<dyn Source>>,
    pub(super) ledger: LedgerFile,
    pub(super) raw: RawFolder,
    pub(super) warehouse: Warehouse,
    /// True when credits are booked on the dates they are spent for, not on today.
    pub(super) is_apart: bool,
    breaker: BreakerPolicy,
    limits: RunLimits,
    lines: Arc<LinePolicy>,
    /// Names this process in claims.
    who: String,
    /// Files that wait; whoever holds this ingests.
    waiting: Mutex<Files>,
}

impl Runner {
    /// A runner over `dir`, whose claims carry the name `who`, different for each process.
    pub fn new(dir: &Path, warehouse: Warehouse, sources: Vec<Arc<dyn Source>>, who: String) -> Self {
        Self {
            sources,
            ledger: LedgerFile::of(dir),
            raw: RawFolder::of(dir),
            warehouse,
            is_apart: false,
            breaker: BreakerPolicy::default(),
            limits: RunLimits { wait: BUSY_WAIT, ..RunLimits::default() },
            lines: Arc::default(),
            who,
            waiting: Mutex::new(Files::new()),
        }
    }

    /// The same with leases of another length; default: two minutes.
    pub fn with_lease(self, lease: SignedDuration) -> Self {
        Self { limits: RunLimits { lease, ..self.limits }, ..self }
    }

    /// The same with other limits of ingestion.
    pub fn with_limits(self, limits: RunLimits) -> Self {
        Self { limits, ..self }
    }

    /// The same with the configured books.
    pub fn with_lines(self, lines: impl Into<Arc<LinePolicy>>) -> Self {
        Self { lines: lines.into(), ..self }
    }

    /// Names of the sources.
    pub fn names(&self) -> Vec<String> {
        self.sources.iter().map(|source| source.name().to_owned()).collect()
    }

    /// What should be fresh.
    pub fn expected(&self) -> Vec<Expected> {
        let of = |source: &Arc<dyn Source>| Expected {
            name: source.name().to_owned(),
            fresh_within: source.fresh_within(),
        };
        self.sources.iter().map(of).collect()
    }

    /// The plans of all sources to the end of the league date; or for one date, asked for by hand. Asks nobody.
    pub async fn plans(&self, date: Option<Date>, now: Timestamp) -> Result<Vec<(String, Plan)>> {
        let today = league_date(now);
        let (from, to) = date.map_or((today, today.tomorrow().unwrap_or(today)), |date| (date, date));
        let games = self.games(from, to).await?;
        let mut plans = Vec::new();
        for source in &self.sources {
            let account = self.account_of(source.as_ref(), date, now).await?;
            let now = Now { at: now, account: &account, games: &games };
            let mut plan = date.map_or_else(|| source.plan(now), |date| source.plan_date(date, now));
            if let Err(until) = account.breaker.admit(now.at, &self.breaker) {
                plan.notes
                    .push(format!("nothing is asked before {until:.0}: the source rests after its failures"));
            }
            plans.push((source.name().to_owned(), plan));
        }
        Ok(plans)
    }

    /// True when games of today have not begun yet: then silence of a source is a loss.
    pub async fn games_ahead(&self, now: Timestamp) -> Result<bool> {
        let today = league_date(now);
        let games = self.warehouse.games_between(today, today).await?;
        Ok(games.iter().any(|game| game.tip_off.is_some_and(|tip| tip > now)))
    }

    /// Ingests everything that was kept and is not in yet: what a crash or a warehouse in trouble left behind.
    pub async fn recover(&self, now: Timestamp) -> Result<CycleReport> {
        let ledger = self.ledger.read().await?;
        let mut files = Files::new();
        for source in &self.sources {
            let account = ledger.account_at(source.name(), now);
            files.extend(self.readings(source.as_ref(), self.raw.kept(source.name()), &account, now)?);
        }
        Ok(self.ingest(files, now).await)
    }

    /// One turn of every source at once.
    pub async fn cycle(&self, now: Timestamp) -> Result<CycleReport> {
        let turns = self.sources.iter().map(|source| self.turn_of(source.as_ref(), now));
        let mut report = CycleReport::default();
        for turn in join_all(turns).await {
            report.add(turn?);
        }
        Ok(report)
    }

    /// One turn of one source: asks what is due.
    pub async fn turn(&self, source: &str, now: Timestamp) -> Result<CycleReport> {
        self.turn_of(self.find(source)?.as_ref(), now).await
    }

    /// When a source is due again: its next call, at most a minute from now.
    pub async fn next_turn(&self, source: &str, now: Timestamp) -> Result<Timestamp> {
        let source = self.find(source)?;
        let account = self.ledger.read().await?.account_at(source.name(), now);
        let plan = source.plan(Now { at: now, account: &account, games: &[] });
        let due = plan.polls.iter().map(|poll| account.earliest(poll, now, &self.breaker)).min();
        let due = due.unwrap_or(now + LONGEST_WAIT);
        Ok(due.clamp(now + SHORTEST_WAIT, now + LONGEST_WAIT))
    }

    /// Brings one league date from one source, now. `force` asks again for what was asked a moment ago.
    pub async fn fetch(&self, source: &str, date: Date, now: Timestamp, force: bool) -> Result<CycleReport> {
        let source = Arc::clone(self.find(source)?);
        let mut report = CycleReport::default();
        // The list of events first: it says what else to ask.
        for is_list in [true, false] {
            let account = self.account_of(source.as_ref(), Some(date), now).await?;
            let plan = source.plan_date(date, Now { at: now, account: &account, games: &[] });
            let lists = |ask: &Ask| matches!(ask, Ask::Events { .. } | Ask::PastEvents { .. });
            let mut polls: Vec<Poll> = plan.polls.into_iter().filter(|p| lists(&p.ask) == is_list).collect();
            for poll in &mut polls {
                poll.at = if force { now } else { now - JUST_NOW };
            }
            report.add(self.polls(source.as_ref(), polls, now).await?);
            if !is_list {
                let note = |sentence| PollReport {
                    source: source.name().to_owned(),
                    about: date.to_string(),
                    ask: None,
                    end: PollEnd::NotAsked { sentence },
                };
                report.polls.extend(plan.notes.into_iter().map(note));
            }
        }
        Ok(report)
    }

    pub(super) fn find(&self, name: &str) -> Result<&Arc<dyn Source>> {
        self.sources.iter().find(|source| source.name() == name).ok_or_else(|| {
            let known = self.names().join(", ");
            let known =
                if known.is_empty() { "none is configured".to_owned() } else { format!("there are {known}") };
            Error::Invalid(format!("no source is called `{name}`; {known}"))
        })
    }

    async fn turn_of(&self, source: &dyn Source, now: Timestamp) -> Result<CycleReport> {
        let mut report = CycleReport::default();
        let mut done: BTreeSet<String> = BTreeSet::new();
        // A list of events may bring news that is due at once; more than once it cannot.
        for _ in 0..2 {
            let account = self.ledger.read().await?.account_at(source.name(), now);
            let plan = source.plan(Now { at: now, account: &account, games: &[] });
            let is_due = |poll: &Poll| account.earliest(poll, now, &self.breaker) <= now;
            let due = plan.polls.into_iter().filter(is_due).filter(|poll| done.insert(poll.ask.key()));
            let due: Vec<Poll> = due.collect();
            if due.is_empty() {
                break;
            }
            report.add(self.polls(source, due, now).await?);
        }
        if report.polls.is_empty() {
            // What waited for the warehouse goes in on the next quiet turn.
            report.add(self.ingest(Files::new(), now).await);
        }
        Ok(report)
    }

    /// Makes calls, some at a time, and ingests what they bring.
    pub(super) async fn polls(
        &self,
        source: &dyn Source,
        polls: Vec<Poll>,
        now: Timestamp,
    ) -> Result<CycleReport> {
        let (lists, others): (Vec<Poll>, Vec<Poll>) = polls
            .into_iter()
            .partition(|poll| matches!(poll.ask, Ask::Events { .. } | Ask::PastEvents { .. }));
        let mut report = CycleReport::default();
        let mut files = Files::new();
        for some in [lists, others] {
            let calls: Vec<_> = some.into_iter().map(|poll| self.poll(source, poll, now)).collect();
            let mut back = futures::stream::iter(calls).buffer_unordered(source.concurrency().max(1));
            while let Some(done) = back.next().await {
                let (poll, brought) = done?;
                report.polls.push(poll);
                files.extend(brought);
            }
        }
        report.add(self.ingest(files, now).await);
        Ok(report)
    }

    /// One call from claim to settlement.
    async fn poll(&self, source: &dyn Source, poll: Poll, now: Timestamp) -> Result<(PollReport, Files)> {
        let report = |end| PollReport {
            source: source.name().to_owned(),
            about: poll.about.clone(),
            ask: Some(poll.ask.clone()),
            end,
        };
        let account = match self.claim(source, &poll, now).await? {
            Ok(account) => account,
            Err(sentence) => return Ok((report(PollEnd::NotAsked { sentence }), Files::new())),
        };
        let reply = tokio::time::timeout(ASK_DEADLINE, source.ask(&poll.ask, &account)).await;
        let seconds = ASK_DEADLINE.as_secs();
        let mut reply = reply.unwrap_or_else(|_| Reply::failed(SourceError::TimedOut { seconds }));
        let (mut files, mut end) = (Files::new(), Tally::default());
        let date = poll.ask.date();
        let mut account = account;
        account.events.extend(reply.events.iter().map(|event| (event.id.clone(), event.clone())));
        for body in std::mem::take(&mut reply.bodies) {
            let kept = self.raw.keep(source.name(), date, &body, source.extension(), now)?;
            end.count(kept.is_new);
            let (path, not_used) = self.reading(source, &kept, Some(&body), &account)?;
            for (why, n) in not_used {
                *end.not_used.entry(why).or_default() += n;
            }
            files.extend(path);
        }
        for path in std::mem::take(&mut reply.files) {
            end.count(true);
            files.insert(path);
        }
        let ended = end.of(reply.failed.as_ref());
        self.settle(source, poll.clone(), reply, end.new > 0, now).await?;
        Ok((report(ended), files))
    }

    async fn claim(
        &self,
        source: &dyn Source,
        poll: &Poll,
        now: Timestamp,
    ) -> Result<std::result::Result<Account, String>> {
        let (name, poll, who) = (source.name().to_owned(), poll.clone(), self.who.clone());
        let (limits, policy, date) = (source.limits(), self.breaker, self.booked_on(&poll.ask, now));
        let past = poll.ask.is_past().then(|| self.raw.past_file(&name, poll.ask.date()));
        self.ledger
            .update(move |ledger| {
                let mut poll = poll;
                if let Some(past) = past {
                    if let Some(at) = PastDay::read(&past)?.answered_at(&poll.ask) {
                        return Ok(Err(NotNow::Asked { at }.to_string()));
                    }
                    poll.at = EVER;
                }
                let account = ledger.sources.entry(name).or_default();
                let claimed = account.claim(&poll, &who, now, date, &limits, &policy);
                Ok(claimed.map(|()| account.clone()).map_err(|not_now| not_now.to_string()))
            })
            .await?
    }

    async fn settle(
        &self,
        source: &dyn Source,
        poll: Poll,
        reply: Reply,
        is_news: bool,
        now: Timestamp,
    ) -> Result<()> {
        let (name, who, policy) = (source.name().to_owned(), self.who.clone(), self.breaker);
        let date = self.booked_on(&poll.ask, now);
        let past = poll.ask.is_past().then(|| self.raw.past_file(&name, poll.ask.date()));
        let mut back = Settlement { told: reply.told, events: reply.events, failed: reply.failed, is_news };
        self.ledger
            .update(move |ledger| {
                if let Some(past) = past {
                    // Noted first: what a crash leaves between the two is a call that is out, never one to pay again.
                    let events = std::mem::take(&mut back.events);
                    if is_answered(back.failed.as_ref()) {
                        PastDay::note(&past, &poll.ask, &events, now)?;
                    }
                }
                let account = ledger.sources.entry(name).or_default();
                account.settle(&poll, &who, back, now, date, &policy);
                Ok(())
            })
            .await?
    }

    /// The date whose credits a call spends.
    fn booked_on(&self, ask: &Ask, now: Timestamp) -> Date {
        if self.is_apart && ask.is_past() { ask.date() } else { league_date(now) }
    }

    /// The file that ingest reads of a kept answer, and what of it is no quote.
    pub(super) fn reading(
        &self,
        source: &dyn Source,
        kept: &Kept,
        body: Option<&[u8]>,
        account: &Account,
    ) -> Result<(Option<PathBuf>, BTreeMap<String, u64>)> {
        let table = raw::rows_path(&kept.path);
        if body.is_none() && table.exists() {
            return Ok((Some(table), BTreeMap::new()));
        }
        let unpacked = body.is_none().then(|| raw::unpack(&kept.path));
        let reading = match (body, &unpacked) {
            (Some(body), _) => source.read(body, account, kept.seen_at),
            (None, Some(Ok(body))) => source.read(body, account, kept.seen_at),
            // Damage on the disk is for ingest to report.
            (None, Some(Err(_)) | None) => Reading::AsItIs,
        };
        Ok(match reading {
            Reading::AsItIs => (Some(kept.path.clone()), BTreeMap::new()),
            Reading::Nothing => (None, BTreeMap::new()),
            Reading::Table { csv, not_used } => {
                replace(&table, csv.as_bytes())?;
                (Some(table), not_used)
            }
        })
    }

    /// Ingests files and whatever waited before them; one at a time over all sources.
    pub(super) async fn ingest(&self, files: Files, now: Timestamp) -> CycleReport {
        let mut waiting = self.waiting.lock().await;
        waiting.extend(files);
        let mut report = CycleReport::default();
        if waiting.is_empty() {
            return report;
        }
        let paths: Vec<PathBuf> = waiting.iter().cloned().collect();
        let options = IngestOptions::at(now).with_lines(Arc::clone(&self.lines));
        let run =
            ingest::run_within(&self.warehouse, &paths, options, self.limits, &Timestamp::now, |_| {}).await;
        match run {
            Ok(done) => {
                let put_off = done.files.iter().filter(|file| file.state == FileState::Waiting);
                let put_off: BTreeSet<String> = put_off.map(|file| file.name.clone()).collect();
                report.changed = done.files.iter().flat_map(|file| &file.changed).copied().collect();
                report.files = done.files;
                // Another process works on the same, or time was up: they go in with the next turn.
                waiting.retain(|path| {
                    path.file_name().is_some_and(|name| put_off.contains(&*name.to_string_lossy()))
                });
                report.waiting = waiting.len();
                match marks::mark(&self.warehouse, &report.changed, now).await {
                    Ok(marked) => report.marked = marked,
                    Err(error) => report.trouble = Some(format!("{error}; changed slates are not marked")),
                }
            }
            Err(error) => {
                report.trouble = Some(format!("{error}; the files are kept and go in when it is well again"));
                report.waiting = waiting.len();
            }
        }
        report
    }
}

/// Counts of one call.
#[derive(Debug, Default)]
struct Tally {
    new: usize,
    all: usize,
    not_used: BTreeMap<String, u64>,
}

impl Tally {
    fn count(&mut self, is_new: bool) {
        self.all += 1;
        self.new += usize::from(is_new);
    }

    fn of(&self, failed: Option<&SourceError>) -> PollEnd {
        match failed {
            Some(error) => PollEnd::Failed { code: error.code(), sentence: error.to_string() },
            None if self.all == 0 => PollEnd::Nothing,
            None => PollEnd::Answered { new: self.new, all: self.all, not_used: self.not_used.clone() },
        }
    }
}
