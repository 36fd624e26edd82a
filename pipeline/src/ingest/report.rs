//! What an ingestion did, file by file.

use std::collections::BTreeMap;

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
    /// Nothing of it is in the warehouse but its reason.
    Quarantined,
}

impl FileState {
    /// Stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingested => "ingested",
            Self::Known => "known",
            Self::NotUsed => "not_used",
            Self::Quarantined => "quarantined",
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
        self.damaged || self.state == FileState::Quarantined
    }
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
}

impl IngestReport {
    /// True when every file went in whole, was known, or is of no use (exit code 0; else 3).
    pub fn is_clean(&self) -> bool {
        !self.files.iter().any(FileReport::needs_attention)
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
