//! Ingest: files in, rows out, and a reason for everything that is not used.
//!
//! The predecessor took a lock for "done", lost the files that came while it was held (incidents 30, 31, 32), stored
//! the same quote 115 times, and let one bad row stop a night (90). Here
//!
//! - a file is recognised by its content, goes in whole within one transaction, and is then in the ledger by hash:
//!   a second run of the same file reads nothing, and a file without a row is never done;
//! - the files of one kind and date are worked on under a lease that says who works, never what is done, and listed
//!   again until none is left ([`RunReport`]);
//! - each natural key goes in once, whatever file it comes from and however the file is cut;
//! - a row that cannot be used costs itself: it is counted by reason and kept with its text;
//! - a file that breaks off gives what came before; one that cannot be trusted gives nothing;
//! - `read = new + known + refused` holds for every file, counted in rows of the file;
//! - what follows from quotes (tags, summaries of the books) is written with them, and names that stand for nobody are
//!   looked at again when somebody new is known.
//!
//! Files go in by kind, not by name: teams, schedule and box scores before the odds that speak of them.
//! Each is parsed on a thread of its own and written in chunks, so memory does not grow with the file.

mod batch;
mod clock;
mod directory;
mod facts;
mod file;
mod harvest;
mod kind;
mod known;
mod listing;
mod odds;
mod pending;
pub(crate) mod people;
mod reading;
mod refuse;
mod refused;
mod report;
pub(crate) mod settle;
mod source;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use rules::lines::LinePolicy;
use warehouse::Warehouse;

pub use self::batch::{Clock, OLD_LEASE_ALERT, RunLimits};
pub use self::kind::Kind;
pub use self::pending::{PendingFile, pending};
pub use self::reading::{Reading, read};
pub use self::report::{FileReport, FileState, IngestReport, Progress, RunReport, RunState};

use self::batch::Ingestion;
use self::known::Known;
use self::listing::Listing;
use self::people::People;
use self::refuse::NOT_USED;
use self::source::walk;
use crate::error::Result;
use crate::names;

pub(crate) use self::directory::built_in_teams;
pub(crate) use self::kind::recognise;
pub(crate) use self::odds::sheet::stamp;

/// How to ingest.
#[derive(Debug, Clone, PartialEq)]
pub struct IngestOptions {
    /// The instant that rows are stamped with.
    pub now: Timestamp,
    /// Read a file again although its content is in the ledger; rows that are known stay known.
    pub force: bool,
    /// Take rows that say they happened later than `now`, as simulated days do; else they are `clock_ahead`.
    pub ahead: bool,
    /// Which books count in summaries; the same that the gates go by.
    pub lines: Arc<LinePolicy>,
}

impl IngestOptions {
    /// Simulated days, which may lie ahead.
    pub fn simulated(now: Timestamp) -> Self {
        Self { ahead: true, ..Self::at(now) }
    }

    /// The usual way.
    pub fn at(now: Timestamp) -> Self {
        Self { now, force: false, ahead: false, lines: Arc::default() }
    }

    /// The same with the configured books.
    pub fn with_lines(self, lines: impl Into<Arc<LinePolicy>>) -> Self {
        Self { lines: lines.into(), ..self }
    }
}

/// What files of one ingestion share.
struct Shared {
    known: Arc<Known>,
    people: People,
    /// By source: names met, and how many of them are players.
    met: BTreeMap<String, (u64, u64)>,
}

impl Shared {
    fn meet(&mut self, names: &BTreeMap<String, (u64, u64)>) {
        for (source, (met, players)) in names {
            let sum = self.met.entry(source.clone()).or_default();
            sum.0 += met;
            sum.1 += players;
        }
    }
}

/// Ingests files and folders. What is wrong with a file is in the report; an error means the warehouse.
///
/// Files are hashed on the calling task: give it a task of its own, never an actor's.
pub async fn run(
    warehouse: &Warehouse,
    paths: &[PathBuf],
    options: IngestOptions,
    progress: impl FnMut(Progress<'_>) + Send,
) -> Result<IngestReport> {
    run_within(warehouse, paths, options, RunLimits::default(), &Timestamp::now, progress).await
}

/// Files that look like data below the given paths, each once, folders in sorted order.
pub(crate) fn walk_files(paths: &[PathBuf]) -> Vec<PathBuf> {
    walk(paths).0
}

/// The same with limits and a clock of the caller's.
pub async fn run_within(
    warehouse: &Warehouse,
    paths: &[PathBuf],
    options: IngestOptions,
    limits: RunLimits,
    clock: Clock<'_>,
    mut progress: impl FnMut(Progress<'_>) + Send,
) -> Result<IngestReport> {
    let known = Arc::new(load(warehouse).await?);
    let (now, policy) = (options.now, Arc::clone(&options.lines));
    let mut ingestion = Ingestion {
        warehouse,
        options,
        limits,
        clock,
        listing: Listing::new(paths),
        shared: Shared { known, people: People::default(), met: BTreeMap::new() },
        report: IngestReport::default(),
        progress: &mut progress,
    };
    ingestion.run().await?;
    let Ingestion { listing, shared, mut report, .. } = ingestion;
    report.skipped = listing.skipped();
    report.files_listed = listing.num_listed();
    let resolved = names::after_ingest(warehouse, &policy, now).await?;
    (report.resolved_again, report.reports_resolved_again) = (resolved.rows, resolved.reports);
    names::watch_joins(warehouse, &shared.met, now).await?;
    Ok(report)
}

/// Teams and games of the warehouse.
async fn load(warehouse: &Warehouse) -> Result<Known> {
    let mut known = Known::default();
    known.teams.learn(&warehouse.teams().await?);
    known.learn(&warehouse.games_between(Date::MIN, Date::MAX).await?);
    Ok(known)
}

/// The count of a recognised file that nothing uses.
fn unused(because: &str, rows: u64) -> (std::collections::BTreeMap<String, u64>, String) {
    (std::iter::once((NOT_USED.to_owned(), rows)).collect(), format!("not used: {because}"))
}
