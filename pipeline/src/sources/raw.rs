//! Raw answers: kept as they came, compressed, before anybody parses them.
//!
//! `DIR/raw/SOURCE/DATE/STAMP-HASH.EXT.gz`: the league date they are about, when this content was first seen (UTC) and
//! the sha256 of the content, unpacked. The same content is kept once. Whatever a parser gets wrong can be read
//! again, and a crash between keeping and ingesting is mended by the next start.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::ledger::replace;
use crate::error::{Error, Result};
use crate::ingest::stamp;

/// Ending of the table made of a kept answer, put behind its whole name.
pub(crate) const ROWS: &str = ".rows.csv";

/// The folder of raw answers.
#[derive(Debug, Clone)]
pub(super) struct RawFolder {
    root: PathBuf,
}

/// A kept answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// Where.
    pub path: PathBuf,
    /// When its content was first seen.
    pub seen_at: Timestamp,
    /// False when the same content was kept before.
    pub is_new: bool,
}

impl RawFolder {
    /// The raw folder of a folder of stores.
    pub(super) fn of(dir: &Path) -> Self {
        Self { root: dir.join("raw") }
    }

    /// Keeps an answer. On return it is on the disk.
    pub(crate) fn keep(
        &self,
        source: &str,
        date: Date,
        body: &[u8],
        extension: &str,
        now: Timestamp,
    ) -> Result<Kept> {
        let folder = self.root.join(source).join(date.to_string());
        std::fs::create_dir_all(&folder).map_err(Error::write(&folder))?;
        let hash = proto::codec::sha256_hex(body);
        let ending = format!("-{hash}.{extension}.gz");
        if let Some(kept) = list(&folder).into_iter().find(|path| name(path).ends_with(&ending)) {
            let seen_at = seen_at(&kept).unwrap_or(now);
            return Ok(Kept { path: kept, seen_at, is_new: false });
        }
        let path = folder.join(format!("{}{ending}", now.to_zoned(TimeZone::UTC).strftime("%Y%m%d_%H%M%S")));
        replace(&path, &pack(body).map_err(Error::write(&path))?)?;
        // The name carries whole seconds, and so does what later reads it.
        let seen_at = seen_at(&path).unwrap_or(now);
        Ok(Kept { path, seen_at, is_new: true })
    }

    /// Where it stands what of a date that is over was asked; no walk through folders sees it.
    pub(crate) fn past_file(&self, source: &str, date: Date) -> PathBuf {
        self.root.join(source).join(date.to_string()).join(".past.json")
    }

    /// Kept answers of a source about one date, oldest first.
    pub(crate) fn kept_of(&self, source: &str, date: Date) -> Vec<PathBuf> {
        let files = list(&self.root.join(source).join(date.to_string()));
        files.into_iter().filter(|path| name(path).ends_with(".gz")).collect()
    }

    /// Every kept answer of a source, oldest date first.
    pub(crate) fn kept(&self, source: &str) -> Vec<PathBuf> {
        let dates = list(&self.root.join(source));
        let files = dates.iter().filter(|path| path.is_dir()).flat_map(|folder| list(folder));
        files.filter(|path| name(path).ends_with(".gz")).collect()
    }
}

/// The files that ingest reads of what a source brought about a date: the table of an answer where there is one.
pub fn kept_files(dir: &Path, source: &str, date: Date) -> Vec<PathBuf> {
    let table_or_answer = |kept: PathBuf| {
        let table = rows_path(&kept);
        if table.exists() { table } else { kept }
    };
    RawFolder::of(dir).kept_of(source, date).into_iter().map(table_or_answer).collect()
}

/// When the content of a kept answer was first seen, by its name.
pub(crate) fn seen_at(path: &Path) -> Option<Timestamp> {
    stamp(name(path).get(..15)?)
}

/// The content of a kept answer.
pub(crate) fn unpack(path: &Path) -> Result<Vec<u8>> {
    let unreadable = |e: std::io::Error| Error::Invalid(format!("read `{}`: {e}", path.display()));
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut body = Vec::new();
    // What was kept was bounded when it came.
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(file), &mut body).map_err(unreadable)?;
    Ok(body)
}

/// Where the table of a kept answer stands.
pub(crate) fn rows_path(kept: &Path) -> PathBuf {
    kept.with_file_name(format!("{}{ROWS}", name(kept)))
}

/// The same bytes for the same content: no name, no time inside.
fn pack(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body)?;
    encoder.finish()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|e| e.path())).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn the_same_content_is_kept_once_and_comes_back_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let raw = RawFolder::of(dir.path());
        let date = Date::constant(2026, 2, 18);
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let first = raw.keep("odds-api", date, b"[1]", "json", at("2026-02-18T22:31:05.9Z")).unwrap();
        let again = raw.keep("odds-api", date, b"[1]", "json", at("2026-02-18T23:00:00Z")).unwrap();
        let other = raw.keep("odds-api", date, b"[2]", "json", at("2026-02-18T23:00:00Z")).unwrap();
        assert!(first.is_new && !again.is_new && other.is_new);
        assert_eq!((again.path.clone(), again.seen_at), (first.path.clone(), at("2026-02-18T22:31:05Z")));
        let hash = proto::codec::sha256_hex(b"[1]");
        assert_eq!(name(&first.path), format!("20260218_223105-{hash}.json.gz"));
        assert_eq!(unpack(&first.path).unwrap(), b"[1]");
        assert_eq!(raw.kept("odds-api"), [first.path, other.path]);
        assert!(raw.kept("nobody").is_empty());
    }
}
