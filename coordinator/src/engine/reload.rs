//! Models without a restart: the folder is looked at every other second, and what changed is taken up whole.
//!
//! - New batches pin the new set once it was loaded and checked; a model that does not pass is refused as at a start.
//! - A batch goes on with the models it pinned: what was replaced stays on the shelf until no open batch pins it.
//! - A file that is still being written fails its hash, is refused, and is read again when it has changed once more.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use models::Registry;
use proto::ModelPin;

use super::context::Context;
use super::instance::note_models;

/// How often the folder is looked at.
const EVERY: Duration = Duration::from_secs(2);

/// A model that was replaced stays at least so long: a start that pinned it may not have opened its batch yet.
const KEPT_FOR: Duration = Duration::from_secs(120);

/// Names, sizes and times of a folder's files: what must differ for a reload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Listing(BTreeSet<(PathBuf, u64, Option<SystemTime>)>);

impl Listing {
    /// The folder now; a folder that cannot be read lists nothing, and the registry says why.
    pub(crate) fn of(folder: &Path) -> Listing {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let files = entries.filter_map(|entry| {
            let about = entry.metadata().ok()?;
            about.is_file().then(|| (entry.path(), about.len(), about.modified().ok()))
        });
        Listing(files.collect())
    }
}

/// Watches the folder for as long as the process lives. `loaded` is what the folder was like before the first load.
pub(crate) async fn run(context: Arc<Context>, folder: PathBuf, mut loaded: Listing) {
    let mut replaced_at: Option<Instant> = None;
    loop {
        tokio::time::sleep(EVERY).await;
        let (place, before) = (folder.clone(), loaded.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let now = Listing::of(&place);
            (now != before).then(|| (now, Registry::load(Some(&place))))
        });
        match looked.await {
            Ok(Some((listing, registry))) => {
                loaded = listing;
                install(&context, registry).await;
                replaced_at = Some(Instant::now());
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "loading the models of {} ended badly", folder.display()),
        }
        if replaced_at.is_some_and(|at| at.elapsed() >= KEPT_FOR) && forget(&context).await {
            replaced_at = None;
        }
    }
}

async fn install(context: &Context, registry: Registry) {
    context.shelf.install(registry);
    let registry = context.shelf.registry();
    for refused in registry.refused() {
        tracing::warn!(model = %refused.origin, "model refused: {}", refused.reason);
    }
    tracing::info!("the models have changed: {} are served to new batches", registry.models().len());
    if let Err(error) = note_models(context).await {
        // Rows name their model by its hash; the table that explains hashes gets this one at the next start.
        tracing::warn!(%error, "the changed models could not be noted in the warehouse");
    }
}

/// Drops replaced models that no open batch pins; says whether the store could be asked.
async fn forget(context: &Context) -> bool {
    match context.store.batches(true).await {
        Ok(open) => {
            let pinned: BTreeSet<ModelPin> = open.into_iter().flat_map(|batch| batch.pins).collect();
            context.shelf.keep_only(&pinned);
            true
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn a_listing_differs_when_a_file_comes_changes_or_goes() {
        let folder = tempfile::tempdir().unwrap();
        let empty = Listing::of(folder.path());
        std::fs::write(folder.path().join("a.toml"), "1").unwrap();
        let one = Listing::of(folder.path());
        assert_ne!(one, empty);
        assert_eq!(one, Listing::of(folder.path()));
        std::fs::write(folder.path().join("a.toml"), "22").unwrap();
        assert_ne!(Listing::of(folder.path()), one);
        std::fs::remove_file(folder.path().join("a.toml")).unwrap();
        assert_eq!(Listing::of(folder.path()), empty);
        assert_eq!(Listing::of(&folder.path().join("nowhere")), Listing::default());
    }
}
