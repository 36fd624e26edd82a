//! What lies below some paths and is not in: never read, or refused. Nothing is read but first bytes, nothing is written.
//!
//! A list that shows only what was done hides what was forgotten (incident 32: one file of sixteen, and the list looked
//! complete).

use std::path::PathBuf;

use jiff::civil::Date;
use warehouse::Warehouse;

use super::listing::{Found, Group, Listing};
use super::refused::REFUSED;
use super::report::FileState;
use crate::error::Result;

/// A file that is not in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PendingFile {
    /// Its name, without folders.
    pub name: String,
    /// Where it lies.
    pub path: String,
    /// What it was recognised as; empty when it was not.
    pub kind: String,
    /// `waiting` or `quarantined`.
    pub state: FileState,
    /// Bytes, as stored.
    pub size: u64,
    /// Hash of its content.
    pub sha256: String,
    /// The date it is about; none where only reading it tells.
    pub game_date: Option<Date>,
    /// Why it is no data, as far as that is known before it is read.
    pub why: Option<String>,
}

/// Files below the paths that are not in and may be about a date. A file whose first bytes name another date is left out.
pub async fn pending(warehouse: &Warehouse, paths: &[PathBuf], game_date: Date) -> Result<Vec<PendingFile>> {
    let mut listing = Listing::new(paths);
    listing.look();
    let mut files = Vec::new();
    while let Some(group) = listing.first_waiting() {
        for found in listing.take(group) {
            if group.game_date.is_none_or(|date| date == game_date) {
                files.extend(look_up(warehouse, group, &found).await?);
            }
        }
    }
    Ok(files)
}

async fn look_up(warehouse: &Warehouse, group: Group, found: &Found) -> Result<Option<PendingFile>> {
    let file = match found {
        Found::Readable(_, recognised) if recognised.kind().unused_because().is_some() => return Ok(None),
        Found::Readable(source, recognised) => {
            let origin = source.origin();
            PendingFile {
                name: origin.name,
                path: origin.path,
                kind: recognised.kind().as_str().to_owned(),
                state: FileState::Waiting,
                size: source.size,
                sha256: origin.sha256,
                game_date: group.game_date,
                why: None,
            }
        }
        Found::Refused(refused) => refused.pending(),
    };
    let state = match warehouse.known_file(&file.sha256).await? {
        None => FileState::Waiting,
        Some(known) if known.kind == REFUSED => FileState::Quarantined,
        Some(_) => return Ok(None),
    };
    Ok(Some(PendingFile { state, ..file }))
}
