//! Ingest: files in, rows out, and a reason for everything that is not used.
//!
//! The predecessor took a lock for "done", lost the files that came while it was held (incidents 30, 31, 32), stored
//! the same quote 115 times, and let one bad row stop a night (90). Here
//!
//! - a file is recognised by its content, goes in whole within one transaction, and is then in the ledger by hash:
//!   there is no lock, and a second run of the same file reads nothing;
//! - each natural key goes in once, whatever file it comes from and however the file is cut;
//! - a row that cannot be used costs itself: it is counted by reason and kept with its text;
//! - a file that breaks off gives what came before; one that cannot be trusted gives nothing;
//! - `read = new + known + refused` holds for every file, counted in rows of the file.
//!
//! Files of one run go in by kind, not by name: teams, schedule and box scores before the odds that speak of them.
//! Each is parsed on a thread of its own and written in chunks, so memory does not grow with the file.

mod directory;
mod facts;
mod file;
mod harvest;
mod kind;
mod known;
mod odds;
mod people;
mod refuse;
mod report;
mod source;
mod table;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use warehouse::Warehouse;

pub use self::kind::Kind;
pub use self::report::{FileReport, FileState, IngestReport, Progress};

use self::file::Refused;
use self::kind::Recognised;
use self::known::Known;
use self::people::People;
use self::refuse::{NOT_USED, Refusal, UNREADABLE};
use self::source::{Source, name_of, walk};
use crate::error::Result;

pub(crate) use self::directory::built_in_teams;
pub(crate) use self::kind::recognise;
pub(crate) use self::odds::sheet::stamp;

/// How to ingest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IngestOptions {
    /// The instant that rows are stamped with.
    pub now: Timestamp,
    /// Read a file again although its content is in the ledger; rows that are known stay known.
    pub force: bool,
}

impl IngestOptions {
    /// The usual way.
    pub fn at(now: Timestamp) -> Self {
        Self { now, force: false }
    }
}

/// What files of one run share.
struct Shared {
    known: Arc<Known>,
    people: People,
}

/// Ingests files and folders. What is wrong with a file is in the report; an error means the warehouse.
///
/// Files are hashed on the calling task: give it a task of its own, never an actor's.
pub async fn run(
    warehouse: &Warehouse,
    paths: &[PathBuf],
    options: IngestOptions,
    mut progress: impl FnMut(Progress<'_>) + Send,
) -> Result<IngestReport> {
    let (files, skipped) = walk(paths);
    let mut report = IngestReport {
        skipped: skipped.iter().map(|path| name_of(path)).collect(),
        ..IngestReport::default()
    };
    let (sources, refused) = look_at(files);
    let total = sources.len() + refused.len();
    for file in refused {
        report.files.push(file.report(warehouse, options.now).await?);
    }
    let mut shared = Shared { known: Arc::new(load(warehouse).await?), people: People::default() };
    for (source, recognised) in sources {
        let done = report.files.len();
        let mut tell = |rows: u64| {
            progress(Progress { files_done: done, files_total: total, name: &source.name, rows });
        };
        tell(0);
        let one = file::ingest(warehouse, &source, recognised, &mut shared, options, &mut tell).await?;
        for (table, rows) in one.tables {
            *report.tables.entry(table.to_owned()).or_default() += rows;
        }
        report.files.push(one.report);
    }
    Ok(report)
}

/// Files that look like data below the given paths, each once, folders in sorted order.
pub(crate) fn walk_files(paths: &[PathBuf]) -> Vec<PathBuf> {
    walk(paths).0
}

/// Opens and recognises every file, then sorts by kind; within a kind the order of the walk stays.
fn look_at(files: Vec<PathBuf>) -> (Vec<(Source, Recognised)>, Vec<Refused>) {
    let (mut sources, mut refused) = (Vec::new(), Vec::new());
    for path in files {
        let source = match Source::open(&path) {
            Ok(source) => source,
            Err(refusal) => {
                refused.push(Refused::unread(name_of(&path), refusal));
                continue;
            }
        };
        let head = source.head();
        let recognised = head
            .map_err(|e| Refusal::new(UNREADABLE, format!("the content cannot be unpacked: {e}")))
            .and_then(|head| recognise(&head));
        match recognised {
            Ok(recognised) => sources.push((source, recognised)),
            Err(refusal) => refused.push(Refused::content(&source, "", refusal)),
        }
    }
    sources.sort_by_key(|(_, recognised)| recognised.kind());
    (sources, refused)
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
