//! `tipoff doctor`: what would stop or spoil a run, found before it does. Nothing is changed.

mod engines;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use models::Registry;
use pipeline::ingest::{self, IngestOptions, IngestReport};
use proto::league_time::league_date;
use rules::staleness::Stale;
use serde::Serialize;
use state::{BatchStore, OpenOptions, StateUrl};
use warehouse::{Warehouse, WarehouseUrl};

use super::sources::source_health;
use super::tables::{load_models, open, stage_failure};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, clip, table};
use crate::config::{Config, ShownSetting};
use crate::service::models_of;

/// Longest wait for a store.
const PATIENCE: Duration = Duration::from_secs(10);

/// Difference of clocks from which leases become unfair, in milliseconds.
const MAX_CLOCK_DIFFERENCE_MS: i64 = 1_000;

/// Longest value in the table of settings; `config show` has the rest.
const MAX_VALUE: usize = 60;

const MIB: u64 = 1 << 20;

/// Arguments of `tipoff doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    /// Files and folders to try, without ingesting them
    ///
    /// Reads them into a temporary warehouse and says what `tipoff ingest` would refuse.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// How a check went; the worst one decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// In order.
    Ok,
    /// Works, and somebody should look.
    Degraded,
    /// A run would fail.
    Broken,
}

/// One check with what it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    name: &'static str,
    level: Level,
    sentence: String,
}

fn check(name: &'static str, level: Level, sentence: impl Into<String>) -> Check {
    Check { name, level, sentence: sentence.into() }
}

/// Everything the doctor says.
#[derive(Debug, Serialize)]
struct Report<'a> {
    level: Level,
    checks: Vec<Check>,
    settings: &'a [ShownSetting],
}

/// `tipoff doctor`.
pub(crate) async fn doctor(args: &DoctorArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let mut checks = vec![exposure(config), clock(config), disk(config)];
    let (warehouse_checks, warehouse) = look_at_warehouse(config).await;
    checks.extend(warehouse_checks);
    let (state_checks, store) = look_at_state(config).await;
    checks.extend(state_checks);
    checks.extend(look_at_inputs(warehouse.as_ref(), config).await);
    checks.extend(pairing(warehouse.as_ref(), store).await);
    let registry = load_models(config);
    checks.extend(look_at_models(&registry, config));
    checks.push(engines::look_at_onnx_runtime(&registry, config));
    checks.extend(look_at_sources(config).await);
    if !args.paths.is_empty() {
        checks.extend(look_at_files(&args.paths, config.now()).await?);
    }
    let level = checks.iter().map(|check| check.level).max().unwrap_or(Level::Ok);
    let report = Report { level, checks, settings: config.shown() };
    out.either(&report, page)?;
    Ok(match level {
        Level::Ok => Exit::Ok,
        Level::Degraded => Exit::Degraded,
        Level::Broken => Exit::Failed,
    })
}

/// Sources and their last answers; whether silence is a loss, `tipoff slate` knows better.
async fn look_at_sources(config: &Config) -> Vec<Check> {
    match source_health(config, config.now(), false).await {
        Err(failure) => vec![check("sources", Level::Broken, failure.message)],
        Ok(all) => all
            .into_iter()
            .map(|source| {
                let level = if source.is_well { Level::Ok } else { Level::Degraded };
                check("sources", level, source.sentence)
            })
            .collect(),
    }
}

fn page(report: &Report<'_>) -> String {
    let settings =
        report.settings.iter().map(|s| vec![s.key.to_owned(), clip(&s.value, MAX_VALUE), s.origin.clone()]);
    let checks = report.checks.iter().map(|check| {
        let level = match check.level {
            Level::Ok => "ok",
            Level::Degraded => "LOOK",
            Level::Broken => "BROKEN",
        };
        vec![level.to_owned(), check.name.to_owned(), check.sentence.clone()]
    });
    format!(
        "{}\n\n{}\n",
        table(&["setting", "value", "from"], &[], settings),
        table(&["", "check", "finding"], &[], checks)
    )
}

fn exposure(config: &Config) -> Check {
    let listen = config.server.listen;
    match config.check_exposure() {
        Ok(()) if config.server.admin_key.is_some() => {
            check("listen", Level::Ok, format!("{listen}, with an API key"))
        }
        Ok(()) => check("listen", Level::Ok, format!("{listen}, this machine only: no API key is set")),
        Err(error) => check("listen", Level::Broken, error.to_string()),
    }
}

fn clock(config: &Config) -> Check {
    let now = config.now();
    let built_in = proto::league_time::zone();
    let zone = built_in.iana_name().unwrap_or("the league's zone");
    let sentence = format!("{now:.0}, which is {} in {zone}", league_date(now));
    if let Some(file) = config.clock.file() {
        let why = "this is a simulated world, nothing in it is real";
        return check("clock", Level::Degraded, format!("{sentence} by `{}`: {why}", file.display()));
    }
    // A machine without a battery begins in 1970, or where its image was made.
    let is_plausible = now.to_zoned(jiff::tz::TimeZone::UTC).year() >= 2025;
    match is_plausible {
        true => check("clock", Level::Ok, sentence),
        false => check("clock", Level::Broken, format!("{sentence}; set the clock")),
    }
}

fn disk(config: &Config) -> Check {
    let WarehouseUrl::Sqlite(path) = &config.warehouse;
    let Some(folder) = path.ancestors().skip(1).find(|folder| folder.exists() || *folder == Path::new(""))
    else {
        return check("disk", Level::Degraded, "there is no folder to look at");
    };
    let folder = if folder == Path::new("") { Path::new(".") } else { folder };
    match fs4::available_space(folder) {
        Ok(free) => {
            let sentence = format!("{} MiB free at `{}`", free / MIB, folder.display());
            match free / MIB {
                0..100 => check("disk", Level::Broken, format!("{sentence}; a night needs more")),
                100..1024 => check("disk", Level::Degraded, format!("{sentence}; keep a GiB")),
                _ => check("disk", Level::Ok, sentence),
            }
        }
        Err(error) => check("disk", Level::Degraded, format!("space at `{}`: {error}", folder.display())),
    }
}

async fn look_at_warehouse(config: &Config) -> (Vec<Check>, Option<Warehouse>) {
    let WarehouseUrl::Sqlite(path) = &config.warehouse;
    if !path.exists() {
        let sentence = format!("`{}` is not there yet; `tipoff ingest` makes it", path.display());
        return (vec![check("warehouse", Level::Degraded, sentence)], None);
    }
    let opened = tokio::time::timeout(PATIENCE, open(config)).await;
    let warehouse = match opened {
        Ok(Ok(warehouse)) => warehouse,
        Ok(Err(error)) => return (vec![check("warehouse", Level::Broken, error.to_string())], None),
        Err(_) => return (vec![check("warehouse", Level::Broken, "no answer within 10 s")], None),
    };
    let counts = match warehouse.table_counts().await {
        Ok(counts) => counts,
        Err(error) => return (vec![check("warehouse", Level::Broken, error.to_string())], None),
    };
    let reached = format!("{} answers, id {}", config.warehouse, warehouse.id());
    let mut checks = vec![check("warehouse", Level::Ok, reached)];
    let count = |name: &str| counts.get(name).copied().unwrap_or(0);
    let needed = ["games", "player_games", "lines", "features"];
    let filled: Vec<String> = needed.iter().map(|name| format!("{} {name}", count(name))).collect();
    let empty: Vec<&str> = needed.into_iter().filter(|name| count(name) == 0).collect();
    checks.push(match empty.as_slice() {
        [] => check("tables", Level::Ok, filled.join(", ")),
        empty => {
            let what = empty.join(", ");
            let sentence = format!("nothing in {what}; `tipoff ingest`, then `tipoff features build`");
            check("tables", Level::Degraded, sentence)
        }
    });
    match warehouse.quarantine(None, 10_000).await.map(|rows| rows.len()) {
        Ok(0) => checks.push(check("quarantine", Level::Ok, "empty")),
        Ok(n) => {
            let look = "select file, code, sentence from quarantine limit 20";
            let sentence = format!("{n} refused rows or files of earlier ingestions: tipoff sql \"{look}\"");
            checks.push(check("quarantine", Level::Ok, sentence));
        }
        Err(error) => checks.push(check("quarantine", Level::Broken, error.to_string())),
    }
    (checks, Some(warehouse))
}

/// Rosters and injuries of today's slate, or of tomorrow's; on days without games nobody needs them.
async fn look_at_inputs(warehouse: Option<&Warehouse>, config: &Config) -> Vec<Check> {
    let Some(warehouse) = warehouse else { return Vec::new() };
    let now = config.now();
    let today = league_date(now);
    let look = async {
        let games = warehouse.games_between(today, today.tomorrow().unwrap_or(today)).await?;
        match games.iter().map(|game| game.game_id.date).min() {
            Some(date) => pipeline::slate::stale(warehouse, date, now, &config.staleness).await.map(Some),
            None => Ok(None),
        }
    };
    match look.await {
        Err(error) => vec![check("rosters and injuries", Level::Broken, error.to_string())],
        Ok(None) => {
            vec![check("rosters and injuries", Level::Ok, "no game today or tomorrow is known")]
        }
        Ok(Some(stale)) if stale.is_empty() => {
            vec![check("rosters and injuries", Level::Ok, "new enough for the next slate")]
        }
        Ok(Some(stale)) => {
            let warn = |stale: Stale| check("rosters and injuries", Level::Degraded, stale.sentence);
            stale.into_iter().map(warn).collect()
        }
    }
}

async fn look_at_state(config: &Config) -> (Vec<Check>, Option<Arc<dyn BatchStore>>) {
    if let StateUrl::Sqlite(path) = &config.state
        && !path.exists()
    {
        let sentence = format!("`{}` is not there yet; `tipoff serve` makes it", path.display());
        return (vec![check("state store", Level::Ok, sentence)], None);
    }
    let opened = tokio::time::timeout(PATIENCE, state::open(&config.state, OpenOptions::default())).await;
    let store = match opened {
        Ok(Ok(store)) => store,
        Ok(Err(error)) => return (vec![check("state store", Level::Broken, error.to_string())], None),
        Err(_) => return (vec![check("state store", Level::Broken, "no answer within 10 s")], None),
    };
    let mut checks = match (store.batches(true).await, store.now().await) {
        (Ok(open), Ok(now)) => {
            let difference = (now - Timestamp::now().as_millisecond()).abs();
            let reached = format!("{} answers, {} open batches", store.describe(), open.len());
            let clock = match difference {
                0..=MAX_CLOCK_DIFFERENCE_MS => check("state clock", Level::Ok, "agrees with this machine's"),
                ms => check(
                    "state clock",
                    Level::Degraded,
                    format!("differs from this machine's by {ms} ms; use NTP"),
                ),
            };
            vec![check("state store", Level::Ok, reached), clock]
        }
        (Err(error), _) | (_, Err(error)) => {
            return (vec![check("state store", Level::Broken, error.to_string())], None);
        }
    };
    checks.extend(store.notes().into_iter().map(|note| check("state set-up", Level::Degraded, note)));
    (checks, Some(store))
}

async fn pairing(warehouse: Option<&Warehouse>, store: Option<Arc<dyn BatchStore>>) -> Option<Check> {
    let (warehouse, store) = (warehouse?, store?);
    let ours = warehouse.id();
    Some(match store.identity().await {
        Err(error) => check("pairing", Level::Broken, error.to_string()),
        Ok(identity) => match identity.warehouse_id.as_deref() {
            None => check("pairing", Level::Ok, "the state store is new and will be adopted"),
            Some(theirs) if theirs == ours => check("pairing", Level::Ok, "the stores belong together"),
            Some(theirs) => {
                let sentence = format!(
                    "the state store belongs to warehouse {theirs}, this one is {ours}; name the right pair, or an empty state store"
                );
                check("pairing", Level::Broken, sentence)
            }
        },
    })
}

fn look_at_models(registry: &Registry, config: &Config) -> Vec<Check> {
    let models = models_of(registry, league_date(config.now()));
    let mut checks = Vec::new();
    if models.models.is_empty() {
        checks.push(check("models", Level::Broken, "no model can run"));
    } else {
        let names: Vec<String> = models.models.iter().map(|model| model.system_id.to_string()).collect();
        checks.push(check("models", Level::Ok, format!("{} loaded: {}", names.len(), names.join(", "))));
    }
    let old: Vec<String> = models
        .models
        .iter()
        .filter(|model| model.stale)
        .map(|model| format!("{} ({} days)", model.system_id, model.age_days.unwrap_or_default()))
        .collect();
    if !old.is_empty() {
        let sentence = format!("trained ten days ago or earlier: {}", old.join(", "));
        checks.push(check("model age", Level::Ok, sentence));
    }
    for refused in &models.refused {
        checks.push(check("model refused", Level::Degraded, format!("{}: {}", refused.name, refused.reason)));
    }
    checks
}

/// Tries files on a temporary warehouse: the teams of the league are built in, everything else comes from the files.
async fn look_at_files(paths: &[PathBuf], now: Timestamp) -> Result<Vec<Check>, Failure> {
    for path in paths {
        if !path.exists() {
            return Ok(vec![check("files", Level::Broken, format!("there is no `{}`", path.display()))]);
        }
    }
    let folder = std::env::temp_dir().join(format!("tipoff-doctor-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir_all(&folder)?;
    let report = try_files(paths, &folder, now).await;
    // Left behind, it is only a temporary file.
    let _ = std::fs::remove_dir_all(&folder);
    let report = report?;
    let mut checks: Vec<Check> = report
        .files
        .iter()
        .filter(|file| file.needs_attention())
        .map(|file| check("file", Level::Degraded, format!("{}: {}", file.name, file.sentence)))
        .collect();
    let rows = |of: fn(&ingest::FileReport) -> u64| report.files.iter().map(of).sum::<u64>();
    let sentence = format!(
        "{} files: {} rows read, {} refused",
        report.files.len(),
        rows(|file| file.read),
        rows(ingest::FileReport::num_refused)
    );
    checks.push(check("files", Level::Ok, sentence));
    Ok(checks)
}

async fn try_files(paths: &[PathBuf], folder: &Path, now: Timestamp) -> Result<IngestReport, Failure> {
    let url = WarehouseUrl::sqlite(folder.join("try.db"));
    let warehouse = Warehouse::open(&url, rules::contract()).await.map_err(super::tables::failure)?;
    let options = IngestOptions { force: true, ..IngestOptions::at(now) };
    let report = ingest::run(&warehouse, paths, options, |_| {}).await.map_err(stage_failure);
    warehouse.close().await;
    report
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[tokio::test]
    async fn an_empty_folder_has_models_and_no_tables() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::for_dir(dir.path()).unwrap();
        let (checks, warehouse) = look_at_warehouse(&config).await;
        assert_eq!((checks[0].level, warehouse.is_none()), (Level::Degraded, true));
        assert_eq!(look_at_models(&load_models(&config), &config)[0].level, Level::Ok);
        assert_eq!(exposure(&config).level, Level::Ok);
        assert!(!dir.path().join("warehouse.db").exists(), "the doctor changed something");
    }
}
