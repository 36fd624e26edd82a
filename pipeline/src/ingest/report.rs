//! What an ingestion did, file by file.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

/// How one file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// Its rows are in the warehouse and it is in the ledger.
    Ingested,
    /// The same content went in before; nothing was read again.
    Known,
    /// Recognised, and of no use here; it is not in the ledger.
    NotUsed,
    /// Nothing of it is in the warehouse but its reasons; it is read again the next time.
    Quarantined,
    /// Recognised and without a row; it is not in the ledger, and looked at again the next time.
    Empty,
    /// Listed and not read: the run's time was up, or another process works on the same.
    Waiting,
}

impl FileState {
    /// Stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingested => "ingested",
            Self::Known => "known",
            Self::NotUsed => "not_used",
            Self::Quarantined => "quarantined",
            Self::Empty => "empty",
            Self::Waiting => "waiting",
        }
    }
}

/// What happened to one file. `read = new + known + refused`, always.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FileReport {
    /// Its name, without folders.
    pub name: String,
    /// What it was recognised as; empty when it was not.
    pub kind: String,
    /// How it ended.
    pub state: FileState,
    /// Rows it holds: lines of a table, outcomes or events of JSON.
    pub read: u64,
    /// Rows that are new in the warehouse, or corrected there.
    pub new: u64,
    /// Rows that were known.
    pub known: u64,
    /// Rows that are not used, by reason.
    pub refused: BTreeMap<String, u64>,
    /// True when the file breaks off: what came before the damage is in.
    pub damaged: bool,
    /// League dates that its new rows may be about; empty when none is new.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub changed: BTreeSet<Date>,
    /// In words: what happened, or why nothing did.
    pub sentence: String,
}

impl FileReport {
    /// Refused rows over all reasons.
    pub fn num_refused(&self) -> u64 {
        self.refused.values().sum()
    }

    /// True when a person should look at this file.
    pub fn needs_attention(&self) -> bool {
        self.damaged || matches!(self.state, FileState::Quarantined | FileState::Waiting)
    }

    /// The report of a file of which no row was used.
    pub(crate) fn without_rows(name: String, kind: &str, state: FileState, sentence: &str) -> Self {
        Self {
            name,
            kind: kind.to_owned(),
            state,
            read: 0,
            new: 0,
            known: 0,
            refused: BTreeMap::new(),
            damaged: false,
            changed: BTreeSet::new(),
            sentence: sentence.to_owned(),
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Every file was seen.
    Success,
    /// Every file was seen, and some cannot be used or gave nothing.
    Partial,
    /// Its time was up; what it did stays.
    TimedOut,
    /// It broke off; what it did stays.
    Failed,
    /// It did not begin: another process works on the same.
    Busy,
}

impl RunState {
    /// Stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Partial => "partial",
            Self::TimedOut => "timed_out",
            Self::Failed => "failed",
            Self::Busy => "busy",
        }
    }
}

/// One run: the files of one kind, and of one date where they are about one.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RunReport {
    /// Its row in `runs`.
    pub run_id: String,
    /// What the files are; empty: not recognised.
    pub kind: String,
    /// The date they are about; none: several, or a table.
    pub game_date: Option<Date>,
    /// How it ended.
    pub state: RunState,
    /// Files that the listings showed.
    pub files_listed: u64,
    /// Files that were brought to an end, one way or the other; equal to the listed ones unless it broke off.
    pub files_seen: u64,
    /// Listings that showed something.
    pub passes: u32,
    /// Rows the files hold.
    pub read: u64,
    /// New rows.
    pub new: u64,
    /// Known rows.
    pub known: u64,
    /// Refused rows.
    pub refused: u64,
    /// In words.
    pub sentence: String,
}

/// What an ingestion did.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct IngestReport {
    /// File by file, in the order in which they went in.
    pub files: Vec<FileReport>,
    /// Files of folders that are no data by their names, and were not opened.
    pub skipped: Vec<String>,
    /// Rows that went in or were corrected, by table.
    pub tables: BTreeMap<String, u64>,
    /// The runs, in order; none where every file was known.
    #[serde(default)]
    pub runs: Vec<RunReport>,
    /// Files that the listings showed, each content of a path once.
    #[serde(default)]
    pub files_listed: u64,
    /// Quotes that were given to players whose names stood for nobody before.
    #[serde(default)]
    pub resolved_again: u64,
    /// Availability reports that were given to players whose names stood for nobody before.
    #[serde(default)]
    pub reports_resolved_again: u64,
    /// Records of runs that could not be written; the work is done all the same.
    #[serde(default)]
    pub unrecorded: Vec<String>,
}

impl IngestReport {
    /// True when every file went in whole, was known, empty, or is of no use (exit code 0; else 3).
    pub fn is_clean(&self) -> bool {
        self.files.len() as u64 == self.files_listed && !self.files.iter().any(FileReport::needs_attention)
    }

    /// True when files wait for another process or another run (exit code 75).
    pub fn is_unfinished(&self) -> bool {
        self.files.iter().any(|file| file.state == FileState::Waiting)
    }
}

/// How far an ingestion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Files that are done.
    pub files_done: usize,
    /// Files to do.
    pub files_total: usize,
    /// The file in hand.
    pub name: &'a str,
    /// Rows of it that are written.
    pub rows: u64,
}
