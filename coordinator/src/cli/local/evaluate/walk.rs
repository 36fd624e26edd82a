//! Which models answer for which date: one set for all, or refits by the day from which each counts.
//!
//! A folder of cards is one set. A folder of folders named by date (`2025-10-27/`) holds refits: a date is answered by the
//! newest folder whose name is not after it. Whether a model may answer at all is its card's matter (its training window),
//! never the folder's name: a refit in the wrong folder is left out, not believed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use models::{ROLES_FILE, Registry, is_card};
use workers::ModelSet;

use crate::cli::failure::Failure;
use crate::service::RefusedInfo;

/// One set of models and the date from which it answers.
pub(super) struct Refit {
    /// None: from the beginning.
    pub(super) from: Option<Date>,
    pub(super) registry: Registry,
    pub(super) set: ModelSet,
}

/// The sets in order of date; one is loaded at a time, since a season of refits would fill the memory.
pub(super) struct Walk {
    folders: Vec<(Option<Date>, Option<PathBuf>)>,
    current: Option<(usize, Refit)>,
    /// Models that could not be loaded, each told once.
    refused: BTreeSet<(String, String)>,
}

impl Walk {
    /// Looks at the folder; none is the embedded set alone.
    pub(super) fn over(folder: Option<&Path>) -> Result<Self, Failure> {
        let folders = match folder {
            None => vec![(None, None)],
            Some(folder) => refits_in(folder)?,
        };
        Ok(Self { folders, current: None, refused: BTreeSet::new() })
    }

    /// The set that answers for a date; none before the first refit.
    pub(super) fn on(&mut self, date: Date) -> Option<&Refit> {
        let place = self.folders.partition_point(|(from, _)| from.is_none_or(|from| from <= date));
        let at = place.checked_sub(1)?;
        if self.current.as_ref().is_none_or(|(loaded, _)| *loaded != at) {
            let (from, folder) = &self.folders[at];
            let refit = load(*from, folder.as_deref());
            let name = from.map(|from| format!("{from}/")).unwrap_or_default();
            let refused = refit.registry.refused().iter();
            self.refused
                .extend(refused.map(|model| (format!("{name}{}", model.origin), model.reason.clone())));
            self.current = Some((at, refit));
        }
        self.current.as_ref().map(|(_, refit)| refit)
    }

    /// Those that could not be loaded so far.
    pub(super) fn refused(&self) -> Vec<RefusedInfo> {
        let info =
            |(name, reason): &(String, String)| RefusedInfo { name: name.clone(), reason: reason.clone() };
        self.refused.iter().map(info).collect()
    }
}

fn load(from: Option<Date>, folder: Option<&Path>) -> Refit {
    let contract = rules::contract();
    let registry = Registry::load(folder).checked_against(|name| contract.position(name).is_some());
    let set = ModelSet::of_registry(&registry, contract);
    Refit { from, registry, set }
}

/// A folder of cards and the first day it answers for; no day: for all.
type DatedFolder = (Option<Date>, Option<PathBuf>);

fn refits_in(folder: &Path) -> Result<Vec<DatedFolder>, Failure> {
    let shown = folder.display();
    let failed = |error: std::io::Error| {
        Failure::failed(format!("read the models folder `{shown}`: {error}"))
            .hint("--models names a folder of cards, or of folders named by date")
    };
    let mut dated = Vec::new();
    let (mut has_cards, mut has_roles) = (false, false);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if !path.is_dir() {
            has_cards |= is_card(&path);
            has_roles |= path.file_name().is_some_and(|name| name == ROLES_FILE);
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match name.parse::<Date>() {
            Ok(date) => dated.push((Some(date), Some(path))),
            Err(_) if holds_cards(&path).map_err(failed)? => {
                let failure = Failure::usage(format!("`{shown}` has cards in `{name}`, which is no date"));
                return Err(failure.hint("name it by the first day it is to answer for, as in 2025-10-27"));
            }
            Err(_) => {}
        }
    }
    dated.sort();
    match (has_cards, dated.is_empty()) {
        (true, true) => Ok(vec![(None, Some(folder.to_owned()))]),
        // The embedded models under roles of the operator's.
        (false, true) if has_roles => Ok(vec![(None, Some(folder.to_owned()))]),
        (false, false) => Ok(dated),
        (true, false) => {
            let failure = Failure::usage(format!("`{shown}` holds both cards and folders named by date"));
            Err(failure.hint("keep one of the two kinds, so that it is plain who answers"))
        }
        (false, true) => {
            let failure = Failure::usage(format!("`{shown}` holds no card (*.toml)"));
            Err(failure.hint("--models names a folder of cards, or of folders named by date"))
        }
    }
}

fn holds_cards(folder: &Path) -> std::io::Result<bool> {
    for entry in std::fs::read_dir(folder)? {
        if is_card(&entry?.path()) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "format = 9\n").unwrap();
        }
        folder
    }

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn the_newest_refit_that_is_not_after_the_date_answers() {
        let folder = folder(&["2025-10-27/a.toml", "2025-11-03/a.toml", "notes/plan.txt"]);
        let mut walk = Walk::over(Some(folder.path())).unwrap();
        assert!(walk.on(date("2025-10-26")).is_none(), "nobody answers before the first refit");
        for (day, from) in
            [("2025-10-27", "2025-10-27"), ("2025-11-02", "2025-10-27"), ("2026-01-01", "2025-11-03")]
        {
            assert_eq!(walk.on(date(day)).unwrap().from, Some(date(from)), "{day}");
        }
        let names: Vec<_> = walk.refused().into_iter().map(|refused| refused.name).collect();
        assert_eq!(names, ["2025-10-27/a.toml", "2025-11-03/a.toml"], "each is told once, with its folder");
    }

    #[test]
    fn what_is_ambiguous_is_refused_with_what_to_do() {
        for (files, part) in [
            (&["a.toml", "2025-10-27/a.toml"][..], "both cards and folders"),
            (&["2025-10-27/a.toml", "week2/a.toml"], "`week2`, which is no date"),
            (&["notes.txt"], "holds no card"),
        ] {
            let failure = Walk::over(Some(folder(files).path())).err().unwrap().to_string();
            assert!(failure.contains(part), "{failure}");
        }
        assert!(Walk::over(Some(Path::new("/nowhere/at/all"))).is_err());
        assert!(
            Walk::over(None).unwrap().on(date("2025-10-27")).is_some(),
            "the embedded set answers always"
        );
        let roles = folder(&["roles.toml"]);
        std::fs::write(roles.path().join("roles.toml"), "format = 1\n").unwrap();
        let mut walk = Walk::over(Some(roles.path())).unwrap();
        assert!(walk.on(date("2025-10-27")).is_some() && walk.refused().is_empty(), "roles are no card");
    }
}
