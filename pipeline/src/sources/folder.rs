//! A folder that somebody else fills: other programs, a synchronised object store, a person.
//!
//! The predecessor processed the one file that rang the bell and skipped what landed meanwhile (incidents 30 to 32).
//! Here a scan lists everything there is, each time; what is new or has changed since the last scan is handed on, and
//! the ledger of files knows by content what is done. A path that is no folder is taken as the beginning of names:
//! `feeds/2026-02` watches `feeds/2026-02-18.json` and `feeds/2026-02-19/odds.json` alike.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use jiff::SignedDuration;
use jiff::civil::Date;

use super::error::SourceError;
use super::{Account, Ask, Now, Plan, Poll, Reply, Source, end_of_day, repeated};
use crate::ingest::walk_files;

/// A folder as the configuration describes it.
#[derive(Debug, Clone)]
pub struct FolderConfig {
    /// Its name.
    pub name: String,
    /// The folder, or the beginning of names in one.
    pub path: PathBuf,
    /// How often it is looked into.
    pub every: SignedDuration,
}

/// Length and time of change: what tells a file that is still being written.
type Look = (u64, Option<SystemTime>);

/// What is known of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Seen once; handed on if it looks the same the next time.
    Seen(Look),
    /// Handed on as it looked then.
    Given(Look),
}

/// A watched folder.
#[derive(Debug)]
pub struct Folder {
    config: FolderConfig,
    /// None before the first scan: what is there at the start is old.
    known: Mutex<Option<HashMap<PathBuf, Known>>>,
}

impl Folder {
    /// A folder that is not looked into yet.
    pub fn new(config: FolderConfig) -> Self {
        Self { config, known: Mutex::new(None) }
    }

    /// Lists everything; hands on what is new and at rest.
    fn scan(&self) -> Result<Vec<PathBuf>, SourceError> {
        let files = list(&self.config.path)?;
        let mut known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let is_first = known.is_none();
        let before = known.take().unwrap_or_default();
        let (mut after, mut given) = (HashMap::new(), Vec::new());
        for path in files {
            // A file that is gone by now has been moved away; it is no loss of ours.
            let Ok(metadata) = std::fs::metadata(&path) else { continue };
            let look = (metadata.len(), metadata.modified().ok());
            let state = match before.get(&path) {
                Some(Known::Given(old)) if *old == look => Known::Given(look),
                Some(Known::Seen(old)) if *old == look => Known::Given(look),
                _ if is_first => Known::Given(look),
                _ => Known::Seen(look),
            };
            if state == Known::Given(look) && before.get(&path) != Some(&state) {
                given.push(path.clone());
            }
            after.insert(path, state);
        }
        *known = Some(after);
        Ok(given)
    }
}

fn list(path: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let unreadable =
        |path: &Path, why: String| SourceError::Unreadable { path: path.display().to_string(), why };
    if path.is_dir() {
        std::fs::read_dir(path).map_err(|e| unreadable(path, e.to_string()))?;
        return Ok(walk_files(&[path.to_owned()]));
    }
    let (folder, prefix) = match (path.parent(), path.file_name()) {
        (Some(folder), Some(prefix)) if folder != Path::new("") => (folder, prefix),
        (_, Some(prefix)) => (Path::new("."), prefix),
        _ => return Err(unreadable(path, "it is no folder".to_owned())),
    };
    let entries = std::fs::read_dir(folder).map_err(|e| unreadable(folder, e.to_string()))?;
    let prefix = prefix.to_string_lossy();
    let fits = |path: &PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&*prefix));
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).filter(fits).collect();
    paths.sort();
    Ok(walk_files(&paths))
}

#[async_trait::async_trait]
impl Source for Folder {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn plan(&self, now: Now<'_>) -> Plan {
        let ask = Ask::Everything { date: proto::league_time::league_date(now.at) };
        let mut polls = repeated(ask, self.config.every, now, end_of_day(now.at), "new files");
        // A look costs nothing and there is one every few seconds; nobody wants to read the list.
        polls.truncate(2);
        Plan { polls, ..Plan::default() }
    }

    fn plan_date(&self, date: Date, now: Now<'_>) -> Plan {
        let poll = Poll { at: now.at, ask: Ask::Everything { date }, cost: 0, about: "new files".to_owned() };
        Plan { polls: vec![poll], ..Plan::default() }
    }

    async fn ask(&self, _ask: &Ask, _account: &Account) -> Reply {
        match self.scan() {
            Ok(files) => Reply { files, ..Reply::default() },
            Err(error) => Reply::failed(error),
        }
    }

    fn fresh_within(&self) -> Option<SignedDuration> {
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    fn folder(path: &Path) -> Folder {
        let every = SignedDuration::from_secs(10);
        Folder::new(FolderConfig { name: "drop".to_owned(), path: path.to_owned(), every })
    }

    fn names(files: &[PathBuf]) -> Vec<String> {
        files.iter().map(|f| f.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn what_is_new_is_handed_on_once_it_is_at_rest() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("old.json", "[]");
        write("note.md", "no data");
        let folder = folder(dir.path());
        assert_eq!(names(&folder.scan().unwrap()), ["old.json"]);
        assert!(folder.scan().unwrap().is_empty());
        write("new.json", "[1");
        assert!(folder.scan().unwrap().is_empty(), "it may still grow");
        write("new.json", "[1]");
        assert!(folder.scan().unwrap().is_empty(), "it did");
        assert_eq!(names(&folder.scan().unwrap()), ["new.json"]);
        write("new.json", "[1, 2]");
        folder.scan().unwrap();
        assert_eq!(names(&folder.scan().unwrap()), ["new.json"], "a file that changed is a new one");
        assert!(folder.scan().unwrap().is_empty());
    }

    #[test]
    fn a_path_that_is_no_folder_is_the_beginning_of_names() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["2026-02-18.json", "2026-01-18.json"] {
            std::fs::write(dir.path().join(name), "[]").unwrap();
        }
        std::fs::create_dir(dir.path().join("2026-02-19")).unwrap();
        std::fs::write(dir.path().join("2026-02-19/odds.json"), "[]").unwrap();
        let found = folder(&dir.path().join("2026-02")).scan().unwrap();
        assert_eq!(names(&found), ["2026-02-18.json", "odds.json"]);
        let gone = folder(&dir.path().join("nowhere/x")).scan().unwrap_err();
        assert_eq!(gone.code(), "unreadable");
    }
}
