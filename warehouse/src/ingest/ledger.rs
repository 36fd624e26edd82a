//! The ledger of files and the quarantine: what went in, what was refused, and where it lay.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use proto::tables::{QuarantineRow, SourceFileRow};

use super::IngestTransaction;
use crate::Warehouse;
use crate::error::{Doing, Result};
use crate::history::{Args, fetch};
use crate::sqlite::bulk::{self, Insert};
use crate::sqlite::reader::Reader;
use crate::text;

/// A file of the ledger, seen from one date.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerEntry {
    /// The whole file.
    pub file: SourceFileRow,
    /// Where it lay when it was read; none where it came from no file.
    pub path: Option<String>,
    /// Its rows about the date, new or known.
    pub rows_used: i64,
    /// Its refused rows that are kept and known to be about the date.
    pub rows_quarantined: i64,
}

/// A refused row with its number.
#[derive(Debug, Clone, PartialEq)]
pub struct QuarantineEntry {
    /// Its number; a content that is read again is listed anew, under whatever numbers are free then.
    pub id: i64,
    /// What was refused, and why.
    pub row: QuarantineRow,
    /// The content it stands in; none for entries of an older version.
    pub sha256: Option<String>,
    /// Where the file lay when it was read.
    pub path: Option<String>,
    /// When it was refused.
    pub ingested_at: Timestamp,
}

const DATES: Insert<'static> = Insert {
    table: "source_file_dates",
    columns: &["sha256", "game_date", "rows_used"],
    conflict: "ON CONFLICT (sha256, game_date) DO UPDATE SET rows_used = excluded.rows_used",
    doing: "note which dates a file is about",
};

impl IngestTransaction {
    /// Notes how many of the file's rows are about which date. Without an origin there is no file to note it for.
    pub async fn note_dates(&mut self, dates: &BTreeMap<Date, u64>) -> Result<()> {
        let Some(origin) = &self.origin else { return Ok(()) };
        let rows: Vec<(&Date, &u64)> = dates.iter().collect();
        let sha256 = origin.sha256.as_str();
        bulk::insert(&mut self.tx, &DATES, &rows, |(date, rows), cells| {
            cells.text(sha256).date(**date).int(super::clamped(**rows));
        })
        .await?;
        Ok(())
    }
}

impl Warehouse {
    /// The ledger's entry for a content, if it went in before.
    pub async fn known_file(&self, sha256: &str) -> Result<Option<SourceFileRow>> {
        let mut tx = self.store().read().await?;
        let row = sqlx::query(include_str!("../../sql/known_file.sql"))
            .bind(sha256)
            .fetch_optional(&mut *tx)
            .await
            .doing("look into the ledger of files")?;
        row.as_ref().map(|row| source_file(&mut Reader::new(row, "source_files"))).transpose()
    }

    /// The whole ledger, newest first.
    pub async fn source_files(&self) -> Result<Vec<SourceFileRow>> {
        let mut tx = self.store().read().await?;
        let sql = include_str!("../../sql/source_files.sql");
        fetch(&mut tx, sql, Args::default(), "source_files", "read the ledger of files", source_file).await
    }

    /// Files with rows about a date, used or refused, in the order in which they went in.
    pub async fn files_about(&self, game_date: Date) -> Result<Vec<LedgerEntry>> {
        let mut tx = self.store().read().await?;
        let args = Args::default().with(text::date(game_date));
        let sql = include_str!("../../sql/files_about.sql");
        fetch(&mut tx, sql, args, "source_files", "read the files of a date", |r| {
            Ok(LedgerEntry {
                file: source_file(r)?,
                path: r.opt_text()?,
                rows_used: r.int()?,
                rows_quarantined: r.int()?,
            })
        })
        .await
    }

    /// What was refused, newest first; `game_date` limits it to one slate.
    pub async fn quarantine(&self, game_date: Option<Date>, limit: u32) -> Result<Vec<QuarantineRow>> {
        Ok(self.quarantine_entries(game_date, limit).await?.into_iter().map(|entry| entry.row).collect())
    }

    /// The same with numbers and places.
    pub async fn quarantine_entries(
        &self,
        game_date: Option<Date>,
        limit: u32,
    ) -> Result<Vec<QuarantineEntry>> {
        let mut tx = self.store().read().await?;
        let args = Args::default().with(game_date.map(text::date)).with(limit);
        let sql = include_str!("../../sql/quarantine.sql");
        fetch(&mut tx, sql, args, "quarantine", "read the quarantine", quarantined).await
    }

    /// One refused row.
    pub async fn quarantine_entry(&self, id: i64) -> Result<Option<QuarantineEntry>> {
        let mut tx = self.store().read().await?;
        let sql = include_str!("../../sql/quarantine_entry.sql");
        let args = Args::default().with(id);
        Ok(fetch(&mut tx, sql, args, "quarantine", "read the quarantine", quarantined).await?.pop())
    }
}

fn source_file(r: &mut Reader<'_>) -> Result<SourceFileRow> {
    Ok(SourceFileRow {
        sha256: r.text()?,
        name: r.text()?,
        kind: r.text()?,
        size: r.int()?,
        rows_read: r.int()?,
        rows_new: r.int()?,
        rows_known: r.int()?,
        rows_refused: r.int()?,
        ingested_at: r.instant()?,
    })
}

fn quarantined(r: &mut Reader<'_>) -> Result<QuarantineEntry> {
    Ok(QuarantineEntry {
        id: r.int()?,
        row: QuarantineRow {
            source_file: r.text()?,
            line_number: r.opt_int()?,
            code: r.text()?,
            sentence: r.text()?,
            excerpt: r.text()?,
            game_date: r.opt_parsed()?,
        },
        sha256: r.opt_text()?,
        path: r.opt_text()?,
        ingested_at: r.instant()?,
    })
}
