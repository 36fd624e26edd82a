//! Runs: the files of one kind and date, worked on under a lease until none is left.
//!
//! A run lists what there is, takes what the ledger does not know, and lists again. Its lease says that somebody works,
//! never that the work is done: what is done is known per file, so a run that ended never keeps a new file out
//! (incident 30), one that died is taken over (29), and one whose time is up keeps what it did. Each run has one row in
//! `runs`, which says how many files were listed and how many were seen (32, 95).

use std::collections::VecDeque;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proto::verdict::FindingLevel;
use uuid::Uuid;
use warehouse::{
    Alert, ErrorClass, Lease, LeaseAnswer, LeaseRecord, LeaseRequest, RunEnd, RunStart, Warehouse,
};

use super::file::{self, Hold};
use super::kind::Kind;
use super::listing::{Found, Group, Listing};
use super::report::{FileReport, FileState, IngestReport, Progress, RunReport, RunState};
use super::{IngestOptions, Shared};
use crate::error::{Error, Result};

/// How long a run may wait before it asks for its lease again.
const ASK_AGAIN: Duration = Duration::from_millis(250);
/// Code of the alert about a lease that is held for too long; its subject is what it is for.
pub const OLD_LEASE_ALERT: &str = "ingest_lease_old";

/// What bounds a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunLimits {
    /// How long a run may take; then it ends `timed_out` and keeps what it did.
    pub deadline: SignedDuration,
    /// How long its lease lasts without a sign of life; renewed with every file.
    pub lease: SignedDuration,
    /// Whoever meets a lease older than this raises an alert.
    pub alert_after: SignedDuration,
    /// How long to wait for another process that works on the same.
    pub wait: Duration,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            deadline: SignedDuration::from_secs(600),
            lease: SignedDuration::from_secs(120),
            alert_after: SignedDuration::from_mins(15),
            wait: Duration::from_secs(600),
        }
    }
}

/// A clock, passed in: leases and deadlines are judged by it.
pub type Clock<'a> = &'a (dyn Fn() -> Timestamp + Send + Sync);

/// Everything an ingestion has in hand.
pub(super) struct Ingestion<'a> {
    pub(super) warehouse: &'a Warehouse,
    pub(super) options: IngestOptions,
    pub(super) limits: RunLimits,
    pub(super) clock: Clock<'a>,
    pub(super) listing: Listing,
    pub(super) shared: Shared,
    pub(super) report: IngestReport,
    pub(super) progress: &'a mut (dyn FnMut(Progress<'_>) + Send),
}

/// How the files of a run went.
#[derive(Debug, Default)]
struct Work {
    passes: u32,
    reports: Vec<FileReport>,
    listed: u64,
    timed_out: bool,
    taken_over: bool,
}

impl Ingestion<'_> {
    /// Works until nothing that was listed waits.
    pub(super) async fn run(&mut self) -> Result<()> {
        self.listing.look();
        loop {
            let Some(group) = self.listing.first_waiting() else {
                // The last look is after the last file: what came meanwhile is no other day's business.
                self.listing.look();
                if self.listing.first_waiting().is_none() {
                    return Ok(());
                }
                continue;
            };
            self.group(group).await?;
        }
    }

    /// One group: files of known content need no run; the others get one.
    async fn group(&mut self, group: Group) -> Result<()> {
        let (known, unknown) = self.told_apart(group).await?;
        self.report.files.extend(known);
        if unknown.is_empty() {
            return Ok(());
        }
        let run_id = format!("ingest_{}", Uuid::new_v4());
        let Some(lease) = self.lease(group, &run_id).await? else {
            self.report.runs.push(busy(group, run_id, unknown.len() as u64));
            self.report.files.extend(unknown.iter().map(|found| waiting(found, BUSY)));
            return Ok(());
        };
        let started_at = (self.clock)();
        let start = RunStart {
            run_id: run_id.clone(),
            stage: "ingest".to_owned(),
            game_date: group.game_date,
            batch_id: None,
            started_at,
        };
        // Records may fail without failing work (incident 34).
        if let Err(error) = self.warehouse.run_start(&start).await {
            self.report.unrecorded.push(error.to_string());
        }
        let worked = self.work(group, unknown, &lease, started_at).await;
        let ended_at = (self.clock)();
        let released = self.warehouse.release_lease(&lease, ended_at).await;
        let (end, run) = match &worked {
            Ok(work) => judged(group, &run_id, work),
            Err(error) => failed(group, &run_id, error),
        };
        let counts = serde_json::to_value(&run).unwrap_or_default();
        if let Err(error) = self.warehouse.run_finish(&run_id, &end, &counts, ended_at).await {
            self.report.unrecorded.push(error.to_string());
        }
        self.report.runs.push(run);
        self.report.files.extend(worked?.reports);
        released?;
        Ok(())
    }

    /// Files of which nothing is to be read, reported, and the others.
    async fn told_apart(&mut self, group: Group) -> Result<(Vec<FileReport>, VecDeque<Found>)> {
        let (mut known, mut unknown) = (Vec::new(), VecDeque::new());
        for found in self.listing.take(group) {
            let report = match &found {
                Found::Readable(source, recognised) if !self.options.force => {
                    file::without_reading(self.warehouse, source, recognised.kind()).await?
                }
                _ => None,
            };
            match report {
                Some(report) => known.push(report),
                None => unknown.push_back(found),
            }
        }
        Ok((known, unknown))
    }

    /// Asks for the group's lease until it is there or nobody wants to wait any longer.
    async fn lease(&mut self, group: Group, run_id: &str) -> Result<Option<Lease>> {
        let request =
            LeaseRequest { resource: group.resource(), holder: run_id.to_owned(), ttl: self.limits.lease };
        let mut waited = Duration::ZERO;
        loop {
            let now = (self.clock)();
            match self.warehouse.acquire_lease(&request, now).await? {
                LeaseAnswer::Taken { lease, abandoned } => {
                    match abandoned {
                        Some(dead) => self.succeed(&dead, now).await?,
                        None => self.warehouse.resolve_alert(OLD_LEASE_ALERT, &request.resource, now).await?,
                    }
                    return Ok(Some(lease));
                }
                LeaseAnswer::Held(by) => {
                    self.warn_if_old(&by, now).await?;
                    if waited >= self.limits.wait {
                        return Ok(None);
                    }
                    tokio::time::sleep(ASK_AGAIN).await;
                    waited += ASK_AGAIN;
                }
            }
        }
    }

    /// Ends the record of a run whose process died, and says so.
    async fn succeed(&mut self, dead: &LeaseRecord, now: Timestamp) -> Result<()> {
        self.warn_if_old(dead, now).await?;
        let error = format!("its process ended without a word after {}; another took over", dead.renewed_at);
        let end = RunEnd::Failed { error, class: ErrorClass::CleanUp };
        match self.warehouse.run_finish(&dead.holder, &end, &serde_json::json!({}), now).await {
            Ok(()) | Err(warehouse::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn warn_if_old(&mut self, lease: &LeaseRecord, now: Timestamp) -> Result<()> {
        if !is_old(lease, now, self.limits.alert_after) {
            return Ok(());
        }
        let sentence = format!(
            "run `{}` has held `{}` since {}; its last sign of life was at {}",
            lease.holder, lease.resource, lease.acquired_at, lease.renewed_at
        );
        let alert = Alert {
            code: OLD_LEASE_ALERT.to_owned(),
            level: FindingLevel::Warning,
            sentence,
            subject: lease.resource.clone(),
            raised_at: now,
        };
        Ok(self.warehouse.raise_alert(&alert).await?)
    }

    /// The files of a group, and those that come for it meanwhile.
    async fn work(
        &mut self,
        group: Group,
        mut files: VecDeque<Found>,
        lease: &Lease,
        started_at: Timestamp,
    ) -> Result<Work> {
        let deadline = started_at.saturating_add(self.limits.deadline).unwrap_or(Timestamp::MAX);
        let mut work = Work::default();
        while !files.is_empty() {
            work.passes += 1;
            work.listed += files.len() as u64;
            while let Some(found) = files.pop_front() {
                if work.timed_out || work.taken_over {
                    work.reports.push(waiting(&found, if work.timed_out { LATE } else { TAKEN_OVER }));
                    continue;
                }
                let hold = Hold { lease, clock: self.clock, deadline };
                match self.one(&found, &hold).await {
                    Ok(report) => {
                        work.timed_out = report.state == FileState::Waiting;
                        work.reports.push(report);
                    }
                    Err(Error::Warehouse(warehouse::Error::LeaseLost { .. })) => {
                        work.taken_over = true;
                        work.reports.push(waiting(&found, TAKEN_OVER));
                    }
                    Err(error) => return Err(error),
                }
            }
            if !work.timed_out && !work.taken_over {
                self.listing.look();
                let (known, unknown) = self.told_apart(group).await?;
                work.listed += known.len() as u64;
                work.reports.extend(known);
                files = unknown;
            }
        }
        Ok(work)
    }

    /// One file of a run.
    async fn one(&mut self, found: &Found, hold: &Hold<'_>) -> Result<FileReport> {
        if (hold.clock)() >= hold.deadline {
            return Ok(waiting(found, LATE));
        }
        let (source, recognised) = match found {
            Found::Refused(refused) => return refused.report(self.warehouse, self.options.now, hold).await,
            Found::Readable(source, recognised) => (source, recognised.clone()),
        };
        // Whoever had the lease before may have done it meanwhile.
        if !self.options.force
            && let Some(report) = file::without_reading(self.warehouse, source, recognised.kind()).await?
        {
            return Ok(report);
        }
        let (done, total) = (self.report.files.len(), self.listing.num_listed());
        let progress = &mut self.progress;
        let mut tell = |rows: u64| {
            let files_total = usize::try_from(total).unwrap_or(usize::MAX);
            progress(Progress { files_done: done, files_total, name: &source.name, rows });
        };
        tell(0);
        let one = file::ingest(
            self.warehouse,
            source,
            recognised,
            &mut self.shared,
            &self.options,
            hold,
            &mut tell,
        )
        .await?;
        for (table, rows) in one.tables {
            *self.report.tables.entry(table.to_owned()).or_default() += rows;
        }
        Ok(one.report)
    }
}

/// True when a lease that was not given back is older than anybody should need it.
fn is_old(lease: &LeaseRecord, now: Timestamp, alert_after: SignedDuration) -> bool {
    lease.released_at.is_none() && now.duration_since(lease.acquired_at) >= alert_after
}

const LATE: &str = "the run's time was up before this file; run it again, what is done stays done";
const BUSY: &str = "another process works on files of this kind and date; try again when it has ended";
const TAKEN_OVER: &str = "another process took over before this file; run it again to be sure";

/// A file that was listed and not read.
fn waiting(found: &Found, why: &str) -> FileReport {
    let (name, kind) = match found {
        Found::Readable(source, recognised) => (source.name.clone(), recognised.kind().as_str()),
        Found::Refused(refused) => (refused.name.clone(), refused.kind),
    };
    FileReport::without_rows(name, kind, FileState::Waiting, why)
}

fn named(group: Group, run_id: &str, state: RunState, sentence: String) -> RunReport {
    RunReport {
        run_id: run_id.to_owned(),
        kind: group.kind.map_or("", Kind::as_str).to_owned(),
        game_date: group.game_date,
        state,
        files_listed: 0,
        files_seen: 0,
        passes: 0,
        read: 0,
        new: 0,
        known: 0,
        refused: 0,
        sentence,
    }
}

fn busy(group: Group, run_id: String, listed: u64) -> RunReport {
    RunReport { files_listed: listed, ..named(group, &run_id, RunState::Busy, BUSY.to_owned()) }
}

fn failed(group: Group, run_id: &str, error: &Error) -> (RunEnd, RunReport) {
    let class = match error {
        Error::Invalid(_) => ErrorClass::Bug,
        _ => ErrorClass::Upstream,
    };
    let end = RunEnd::Failed { error: error.to_string(), class };
    (end, named(group, run_id, RunState::Failed, error.to_string()))
}

/// How a run ended. Zero rows is never a success: whoever sent nothing has to be asked again (incident 49).
fn judged(group: Group, run_id: &str, work: &Work) -> (RunEnd, RunReport) {
    let seen = work.reports.iter().filter(|file| file.state != FileState::Waiting).count() as u64;
    let sum = |of: fn(&FileReport) -> u64| work.reports.iter().map(of).sum::<u64>();
    let (new, known) = (sum(|f| f.new), sum(|f| f.known));
    let bad = work.reports.iter().filter(|file| file.needs_attention()).count();
    let unused = work.reports.iter().all(|file| file.state == FileState::NotUsed);
    let (state, sentence) = if work.timed_out {
        (RunState::TimedOut, format!("{seen} of {} files were read when the time was up", work.listed))
    } else if work.taken_over {
        (RunState::Failed, format!("another process took over after {seen} of {} files", work.listed))
    } else if seen != work.listed {
        (RunState::Failed, format!("{seen} files were seen, {} were listed", work.listed))
    } else if bad > 0 {
        (RunState::Partial, format!("{bad} of {seen} files cannot be used as they are"))
    } else if new + known == 0 && !unused {
        (RunState::Partial, format!("no row came of {seen} files"))
    } else {
        (RunState::Success, format!("{seen} files, {new} new rows, {known} known"))
    };
    let end = match state {
        RunState::TimedOut => RunEnd::TimedOut(sentence.clone()),
        RunState::Partial => RunEnd::Partial(sentence.clone()),
        RunState::Success => RunEnd::Success,
        RunState::Failed | RunState::Busy => {
            let class = if work.taken_over { ErrorClass::CleanUp } else { ErrorClass::Bug };
            RunEnd::Failed { error: sentence.clone(), class }
        }
    };
    let report = RunReport {
        files_listed: work.listed,
        files_seen: seen,
        passes: work.passes,
        read: sum(|f| f.read),
        new,
        known,
        refused: sum(FileReport::num_refused),
        ..named(group, run_id, state, sentence)
    };
    (end, report)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    const GROUP: Group = Group { kind: Some(Kind::OddsV4), game_date: None };

    fn file(state: FileState, new: u64) -> FileReport {
        FileReport { read: new, new, ..FileReport::without_rows("f".to_owned(), "k", state, "") }
    }

    fn state(listed: u64, reports: Vec<FileReport>, timed_out: bool) -> (RunState, u64, u64) {
        let work = Work { listed, reports, timed_out, passes: 1, taken_over: false };
        let (_, run) = judged(GROUP, "r", &work);
        (run.state, run.files_listed, run.files_seen)
    }

    #[test]
    fn incident_32_every_listed_file_is_accounted_for() {
        use FileState::{Ingested, Known, Waiting};
        let good = || file(Ingested, 3);
        assert_eq!(state(2, vec![good(), file(Known, 0)], false), (RunState::Success, 2, 2));
        // One of sixteen: that the listing and the work differ is never a success.
        assert_eq!(state(16, vec![good()], false), (RunState::Failed, 16, 1));
        assert_eq!(state(2, vec![good(), file(Waiting, 0)], true), (RunState::TimedOut, 2, 1));
    }

    #[test]
    fn incident_94_more_than_was_listed_is_no_success_either() {
        let good = || file(FileState::Ingested, 3);
        assert_eq!(state(1, vec![good(), good()], false), (RunState::Failed, 1, 2));
    }

    #[test]
    fn incident_49_zero_rows_are_no_success() {
        use FileState::{Empty, Ingested, NotUsed, Quarantined};
        assert_eq!(state(1, vec![file(Empty, 0)], false).0, RunState::Partial);
        assert_eq!(state(1, vec![file(Ingested, 0)], false).0, RunState::Partial);
        assert_eq!(state(2, vec![file(Empty, 0), file(Ingested, 1)], false).0, RunState::Success);
        assert_eq!(state(1, vec![file(NotUsed, 0)], false).0, RunState::Success, "it was never wanted");
        assert_eq!(state(2, vec![file(Quarantined, 0), file(Ingested, 1)], false).0, RunState::Partial);
    }

    #[test]
    fn a_lease_is_old_when_nobody_should_need_it_any_more() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let lease = LeaseRecord {
            resource: "r".to_owned(),
            holder: "h".to_owned(),
            fence: 1,
            acquired_at: at("2026-01-23T18:00:00Z"),
            renewed_at: at("2026-01-23T18:14:00Z"),
            expires_at: at("2026-01-23T18:16:00Z"),
            released_at: None,
        };
        let limit = RunLimits::default().alert_after;
        assert!(!is_old(&lease, at("2026-01-23T18:14:59Z"), limit));
        assert!(is_old(&lease, at("2026-01-23T18:15:00Z"), limit), "however lively it is");
        let done = LeaseRecord { released_at: Some(at("2026-01-23T18:15:00Z")), ..lease };
        assert!(!is_old(&done, at("2026-01-23T19:00:00Z"), limit));
    }
}
