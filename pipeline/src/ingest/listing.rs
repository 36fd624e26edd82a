//! Which files there are: listed again and again, each looked at once, sorted by kind and date.
//!
//! A listing that was taken once lost what came while it was worked on (incidents 31, 32: 380 files, 1 of 16). Here a
//! path is new when it was never looked at or has changed since, and a run lists until nothing is new.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::time::SystemTime;

use jiff::civil::Date;
use proto::league_time::league_date;

use super::kind::{Kind, Recognised, recognise};
use super::refuse::{Refusal, UNREADABLE};
use super::refused::Refused;
use super::source::{Source, name_of, walk};

/// Files that one run works on: of one kind, and about one date where a file is about one. Kinds come in the order in
/// which they need each other; what was not recognised comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    pub(super) kind: Option<Kind>,
    pub(super) game_date: Option<Date>,
}

impl Group {
    /// What nobody else may work on meanwhile.
    pub(super) fn resource(&self) -> String {
        let kind = self.kind.map_or("not_recognised", Kind::as_str);
        match self.game_date {
            Some(date) => format!("ingest/{kind}/{date}"),
            None => format!("ingest/{kind}"),
        }
    }
}

/// A file as far as its first bytes tell.
pub(super) enum Found {
    Readable(Box<Source>, Recognised),
    Refused(Refused),
}

/// What tells that a path holds something else than before.
type Stamp = (u64, Option<SystemTime>);

/// All files below some paths, and which of them wait.
pub(super) struct Listing {
    paths: Vec<PathBuf>,
    seen: HashMap<PathBuf, Stamp>,
    /// Files without links and detours, so that one named twice is one.
    places: HashMap<PathBuf, PathBuf>,
    waiting: BTreeMap<Group, VecDeque<Found>>,
    skipped: HashSet<PathBuf>,
    listed: u64,
}

impl Listing {
    pub(super) fn new(paths: &[PathBuf]) -> Self {
        Self {
            paths: paths.to_vec(),
            seen: HashMap::new(),
            places: HashMap::new(),
            waiting: BTreeMap::new(),
            skipped: HashSet::new(),
            listed: 0,
        }
    }

    /// Lists again: what is new or has changed waits for its group afterwards.
    pub(super) fn look(&mut self) {
        let (files, skipped) = walk(&self.paths);
        self.skipped.extend(skipped);
        for path in files {
            let stamp = std::fs::metadata(&path).map(|m| (m.len(), m.modified().ok())).unwrap_or_default();
            if self.seen.get(&path) == Some(&stamp) {
                continue;
            }
            self.seen.insert(path.clone(), stamp);
            let place = path.canonicalize().unwrap_or_else(|_| path.clone());
            if self.places.entry(place).or_insert_with(|| path.clone()) != &path {
                continue;
            }
            let (group, found) = look_at(&path);
            self.waiting.entry(group).or_default().push_back(found);
            self.listed += 1;
        }
    }

    /// The group that comes first among those with files.
    pub(super) fn first_waiting(&self) -> Option<Group> {
        self.waiting.keys().next().copied()
    }

    /// The files that wait for a group.
    pub(super) fn take(&mut self, group: Group) -> VecDeque<Found> {
        self.waiting.remove(&group).unwrap_or_default()
    }

    /// Files listed so far.
    pub(super) fn num_listed(&self) -> u64 {
        self.listed
    }

    /// Files of folders that are no data by their names, in order.
    pub(super) fn skipped(&self) -> Vec<String> {
        let mut paths: Vec<&PathBuf> = self.skipped.iter().collect();
        paths.sort();
        paths.into_iter().map(|path| name_of(path)).collect()
    }
}

/// Opens and recognises one file.
fn look_at(path: &std::path::Path) -> (Group, Found) {
    let foreign = Group { kind: None, game_date: None };
    let source = match Source::open(path) {
        Ok(source) => source,
        Err(refusal) => return (foreign, Found::Refused(Refused::unread(path, refusal))),
    };
    let head =
        source.head().map_err(|e| Refusal::new(UNREADABLE, format!("the content cannot be unpacked: {e}")));
    match head.and_then(|head| Ok((recognise(&head)?, head))) {
        Ok((recognised, head)) => {
            let kind = recognised.kind();
            let group = Group { kind: Some(kind), game_date: date_of(kind, &head) };
            (group, Found::Readable(Box::new(source), recognised))
        }
        Err(refusal) => (foreign, Found::Refused(Refused::content(&source, "", refusal))),
    }
}

/// The date of tip-off that a file of events is about, by its first bytes; none when it is about several, or is a table.
fn date_of(kind: Kind, head: &[u8]) -> Option<Date> {
    if !matches!(kind, Kind::OddsV4 | Kind::OddsEvents) {
        return None;
    }
    let text = String::from_utf8_lossy(head);
    let mut dates = text.split("\"commence_time\"").skip(1).filter_map(|rest| {
        let value = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
        Some(league_date(value.split('"').next()?.parse().ok()?))
    });
    let first = dates.next()?;
    dates.all(|date| date == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_events_is_about_its_league_date() {
        let of = |kind, text: &str| date_of(kind, text.as_bytes()).map(|date| date.to_string());
        let event = |at: &str| format!(r#"{{"id":"e","commence_time" : "{at}","home_team":"x"}}"#);
        let night = [event("2026-02-19T00:10:00Z"), event("2026-02-19T03:30:00Z")].join(",");
        assert_eq!(of(Kind::OddsV4, &night).as_deref(), Some("2026-02-18"), "the league's date, not UTC's");
        let two = [event("2026-02-19T00:10:00Z"), event("2026-02-20T00:10:00Z")].join(",");
        for (kind, text) in [(Kind::OddsV4, two.as_str()), (Kind::OddsV4, "[]"), (Kind::BoxScores, &night)] {
            assert_eq!(of(kind, text), None, "{text}");
        }
    }

    #[test]
    fn a_run_has_a_name_for_what_it_works_on() {
        let date = "2026-02-18".parse().ok();
        let named = |kind, game_date| Group { kind, game_date }.resource();
        assert_eq!(named(Some(Kind::OddsV4), date), "ingest/odds_v4_json/2026-02-18");
        assert_eq!(named(Some(Kind::BoxScores), None), "ingest/box_scores");
        assert_eq!(named(None, None), "ingest/not_recognised");
    }

    #[test]
    fn incident_31_what_comes_or_changes_meanwhile_is_listed_and_nothing_twice() {
        let Ok(folder) = tempfile::tempdir() else { panic!("no folder for the test") };
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).is_ok();
        let twice = [folder.path().to_owned(), folder.path().join("a.csv")];
        assert!(write("a.csv", "odds_name,box_name\n"));
        let mut listing = Listing::new(&twice);
        listing.look();
        let Some(group) = listing.first_waiting() else { panic!("nothing listed") };
        assert_eq!((listing.take(group).len(), listing.num_listed()), (1, 1), "one file under two names");
        listing.look();
        assert_eq!(listing.first_waiting(), None);
        assert!(write("b.csv", "odds_name,box_name\n") && write("a.csv", "odds_name,box_name\nA,B\n"));
        listing.look();
        assert_eq!((listing.take(group).len(), listing.num_listed()), (2, 3), "one is new, one has changed");
    }
}
