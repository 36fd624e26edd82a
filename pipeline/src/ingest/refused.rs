//! Files of which nothing is used: kept in the quarantine with their reason, once for each content.

use std::path::Path;

use jiff::Timestamp;
use proto::tables::{QuarantineRow, SourceFileRow};
use warehouse::{FileOrigin, IngestBatch, Warehouse};

use super::file::Hold;
use super::pending::PendingFile;
use super::refuse::Refusal;
use super::report::{FileReport, FileState};
use super::source::{Source, name_of};
use crate::error::Result;

/// Kind of a ledger entry whose file was refused: it is read again the next time, since a better reader may come.
pub(super) const REFUSED: &str = "quarantined";

/// A file of which nothing is used.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) name: String,
    /// Hash of its content, or of what is known of it when it cannot be read.
    sha256: String,
    path: String,
    size: u64,
    pub(super) kind: &'static str,
    refusal: Refusal,
}

impl Refused {
    /// A file that was read far enough to be hashed.
    pub(super) fn content(source: &Source, kind: &'static str, refusal: Refusal) -> Self {
        let FileOrigin { name, sha256, path } = source.origin();
        Self { name, sha256, path, size: source.size, kind, refusal }
    }

    /// A file that was not.
    pub(super) fn unread(path: &Path, refusal: Refusal) -> Self {
        let name = name_of(path);
        let sha256 = proto::codec::sha256_hex(format!("{name}\n{}", refusal.sentence).as_bytes());
        Self { name, sha256, path: path.display().to_string(), size: 0, kind: "", refusal }
    }

    /// The same as somebody sees it who only looks.
    pub(super) fn pending(&self) -> PendingFile {
        PendingFile {
            name: self.name.clone(),
            path: self.path.clone(),
            kind: self.kind.to_owned(),
            state: FileState::Waiting,
            size: self.size,
            sha256: self.sha256.clone(),
            game_date: None,
            why: Some(self.refusal.sentence.clone()),
        }
    }

    /// Keeps the reason, once for each content, and reports it: one row read, one refused.
    pub(super) async fn report(
        &self,
        warehouse: &Warehouse,
        now: Timestamp,
        hold: &Hold<'_>,
    ) -> Result<FileReport> {
        if warehouse.known_file(&self.sha256).await?.is_none() {
            self.keep(warehouse, now, hold).await?;
        }
        Ok(FileReport {
            read: 1,
            refused: std::iter::once((self.refusal.code.to_owned(), 1)).collect(),
            ..FileReport::without_rows(
                self.name.clone(),
                self.kind,
                FileState::Quarantined,
                &self.refusal.sentence,
            )
        })
    }

    async fn keep(&self, warehouse: &Warehouse, now: Timestamp, hold: &Hold<'_>) -> Result<()> {
        let row = QuarantineRow {
            source_file: self.name.clone(),
            line_number: None,
            code: self.refusal.code.to_owned(),
            sentence: self.refusal.sentence.clone(),
            excerpt: self.kind.to_owned(),
            game_date: None,
        };
        let origin =
            FileOrigin { name: self.name.clone(), sha256: self.sha256.clone(), path: self.path.clone() };
        let mut tx = warehouse.begin_file(origin, now, hold.lease, (hold.clock)()).await?;
        tx.add(&IngestBatch { quarantine: vec![row], ..IngestBatch::default() }).await?;
        let entry = SourceFileRow {
            sha256: self.sha256.clone(),
            name: self.name.clone(),
            kind: REFUSED.to_owned(),
            size: i64::try_from(self.size).unwrap_or(i64::MAX),
            rows_read: 1,
            rows_new: 0,
            rows_known: 0,
            rows_refused: 1,
            ingested_at: now,
        };
        tx.commit(&entry).await?;
        Ok(())
    }
}
