//! `tipoff ingest ls` and `tipoff ingest quarantine`: what went in, what was refused and why, and once more.

use std::path::PathBuf;

use jiff::civil::Date;
use pipeline::ingest::{FileState, IngestOptions, PendingFile};
use pipeline::sources::{bettingpros, kept_files, odds_api};
use warehouse::{LedgerEntry, QuarantineEntry, Warehouse};

use super::ingest;
use super::tables::{date, failure, open_existing, stage_failure};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, clip, table};
use crate::config::Config;

/// Arguments of `tipoff ingest ls`.
#[derive(Debug, clap::Args)]
pub(crate) struct LsArgs {
    /// Date of tip-off in league time: YYYY-MM-DD, TODAY or TOMORROW
    #[arg(long, value_name = "DATE")]
    game_date: String,

    /// Files and folders of which to list what is not in yet, beside those of the configured sources
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Subcommands of `tipoff ingest quarantine`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum QuarantineCommand {
    /// List refused rows and files, newest first
    List {
        /// Only rows about this date of tip-off: YYYY-MM-DD, TODAY or TOMORROW
        #[arg(long, value_name = "DATE")]
        game_date: Option<String>,

        /// Entries at most
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
    },
    /// Show one entry with the refused text and where it stands
    Show {
        /// Its number
        id: i64,
    },
    /// Read the file of an entry again
    ///
    /// Useful after the schedule, teams or aliases it lacked were added, or with a newer version. Rows that are in stay as
    /// they are; what is still refused is listed anew.
    Retry {
        /// Its number
        id: i64,
    },
}

/// `tipoff ingest ls`.
pub(crate) async fn ls(args: &LsArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    for path in &args.paths {
        if !path.exists() {
            return Err(Failure::new(Exit::NotFound, format!("there is no `{}`", path.display())));
        }
    }
    let warehouse = open_existing(config).await?;
    let game_date = date(&args.game_date, config)?;
    let files = warehouse.files_about(game_date).await.map_err(failure)?;
    let paths: Vec<PathBuf> = args.paths.iter().cloned().chain(source_paths(config, game_date)).collect();
    let mut pending =
        pipeline::ingest::pending(&warehouse, &paths, game_date).await.map_err(stage_failure)?;
    pending.retain(|file| !files.iter().any(|entry| entry.file.sha256 == file.sha256));
    let json: Vec<serde_json::Value> =
        files.iter().map(file_json).chain(pending.iter().map(pending_json)).collect();
    out.either(&json, |_| files_page(&files, &pending))?;
    if json.is_empty() {
        out.say(&format!("no file in the ledger or of a source is about {}", args.game_date));
    }
    Ok(Exit::Ok)
}

/// Where files of configured sources lie that may be about a date.
fn source_paths(config: &Config, game_date: Date) -> Vec<PathBuf> {
    let feeds = &config.feeds;
    let folders = feeds.folders.iter().map(|folder| folder.path.clone()).filter(|path| path.exists());
    let vendors = [
        feeds.odds_api.as_ref().map(|_| odds_api::NAME.to_owned()),
        feeds.bettingpros.as_ref().map(|_| bettingpros::NAME.to_owned()),
    ];
    let names = vendors.into_iter().flatten().chain(feeds.feeds.iter().map(|feed| feed.name.clone()));
    folders.chain(names.flat_map(|name| kept_files(&config.dir, &name, game_date))).collect()
}

/// What became of a file, in one word.
fn state(entry: &LedgerEntry) -> &'static str {
    match entry.file.kind.as_str() {
        "quarantined" => FileState::Quarantined.as_str(),
        _ => FileState::Ingested.as_str(),
    }
}

fn file_json(entry: &LedgerEntry) -> serde_json::Value {
    serde_json::json!({
        "name": entry.file.name,
        "kind": entry.file.kind,
        "state": state(entry),
        "size": entry.file.size,
        "rows_read": entry.file.rows_read,
        "rows_refused": entry.file.rows_refused,
        "rows_used_of_date": entry.rows_used,
        "rows_quarantined_of_date": entry.rows_quarantined,
        "ingested_at": entry.file.ingested_at,
        "sha256": entry.file.sha256,
        "path": entry.path,
    })
}

/// Figures that only reading tells are null.
fn pending_json(file: &PendingFile) -> serde_json::Value {
    serde_json::json!({
        "name": file.name,
        "kind": file.kind,
        "state": file.state.as_str(),
        "size": file.size,
        "rows_read": null,
        "rows_refused": null,
        "rows_used_of_date": null,
        "rows_quarantined_of_date": null,
        "ingested_at": null,
        "sha256": file.sha256,
        "path": file.path,
        "why": file.why,
    })
}

fn pending_row(file: &PendingFile) -> Vec<String> {
    let unread = || "-".to_owned();
    let state = match (&file.why, file.game_date) {
        (Some(why), _) => format!("{} ({})", file.state.as_str(), clip(why, 60)),
        (None, None) => format!("{} (date unread)", file.state.as_str()),
        (None, Some(_)) => file.state.as_str().to_owned(),
    };
    let (name, kind) = (file.name.clone(), file.kind.clone());
    vec![name, kind, file.size.to_string(), unread(), unread(), unread(), state, unread()]
}

fn files_page(files: &[LedgerEntry], pending: &[PendingFile]) -> String {
    let rows = files.iter().map(|entry| {
        vec![
            entry.file.name.clone(),
            entry.file.kind.clone(),
            entry.file.size.to_string(),
            entry.rows_used.to_string(),
            entry.rows_quarantined.to_string(),
            entry.file.rows_read.to_string(),
            state(entry).to_owned(),
            format!("{:.0}", entry.file.ingested_at),
        ]
    });
    let header = ["file", "kind", "bytes", "rows of date", "refused", "rows in all", "state", "ingested"];
    let mut page = table(&header, &[2, 3, 4, 5], rows.chain(pending.iter().map(pending_row))) + "\n";
    let sum = |of: fn(&LedgerEntry) -> i64| files.iter().map(of).sum::<i64>();
    page += &format!(
        "\n{} files, {} rows of the date, {} refused\n",
        files.len(),
        sum(|e| e.rows_used),
        sum(|e| e.rows_quarantined)
    );
    let count = |state| pending.iter().filter(|file| file.state == state).count();
    let (waiting, refused) = (count(FileState::Waiting), count(FileState::Quarantined));
    if waiting + refused > 0 {
        page += &format!("{waiting} files wait, {refused} are in the quarantine as a whole\n");
    }
    page
}

/// `tipoff ingest quarantine …`.
pub(crate) async fn quarantine(
    command: &QuarantineCommand,
    config: &Config,
    out: Output,
) -> Result<Exit, Failure> {
    let warehouse = open_existing(config).await?;
    match command {
        QuarantineCommand::List { game_date, limit } => {
            let day = game_date.as_deref().map(|text| date(text, config)).transpose()?;
            let entries = warehouse.quarantine_entries(day, *limit).await.map_err(failure)?;
            let json: Vec<serde_json::Value> = entries.iter().map(entry_json).collect();
            out.either(&json, |_| entries_page(&entries))?;
            Ok(Exit::Ok)
        }
        QuarantineCommand::Show { id } => {
            let entry = entry(&warehouse, *id).await?;
            out.either(&entry_json(&entry), |_| entry_page(&entry))?;
            Ok(Exit::Ok)
        }
        QuarantineCommand::Retry { id } => retry(&warehouse, *id, config, out).await,
    }
}

async fn entry(warehouse: &Warehouse, id: i64) -> Result<QuarantineEntry, Failure> {
    let found = warehouse.quarantine_entry(id).await.map_err(failure)?;
    found.ok_or_else(|| {
        let failure = Failure::new(Exit::NotFound, format!("the quarantine has no entry {id}"));
        failure.hint(
            "`tipoff ingest quarantine list` shows the numbers; a file that was read again is listed anew",
        )
    })
}

/// Reads the file again, unless something else lies there by now.
async fn retry(warehouse: &Warehouse, id: i64, config: &Config, out: Output) -> Result<Exit, Failure> {
    let entry = entry(warehouse, id).await?;
    let place = entry.path.as_deref().map(PathBuf::from).filter(|path| path.is_file());
    let Some(path) = place else {
        let was = entry.path.as_deref().unwrap_or("a place that was not noted");
        let failure =
            Failure::new(Exit::NotFound, format!("`{}` is no longer at {was}", entry.row.source_file));
        return Err(failure.hint("`tipoff ingest --force PATH` reads it from where it is now"));
    };
    let options = IngestOptions { force: true, ..config.ingest_options() };
    let report = ingest::run(warehouse, &[path], options).await?;
    out.either(&report, |report| ingest::page(report, true))?;
    Ok(ingest::exit(&report))
}

fn entry_json(entry: &QuarantineEntry) -> serde_json::Value {
    serde_json::json!({
        "id": entry.id,
        "file": entry.row.source_file,
        "line": entry.row.line_number,
        "code": entry.row.code,
        "sentence": entry.row.sentence,
        "excerpt": entry.row.excerpt,
        "game_date": entry.row.game_date,
        "refused_at": entry.ingested_at,
        "sha256": entry.sha256,
        "path": entry.path,
    })
}

fn line_of(entry: &QuarantineEntry) -> String {
    entry.row.line_number.map_or_else(|| "whole file".to_owned(), |line| line.to_string())
}

fn entries_page(entries: &[QuarantineEntry]) -> String {
    let rows = entries.iter().map(|entry| {
        vec![
            entry.id.to_string(),
            entry.row.source_file.clone(),
            line_of(entry),
            entry.row.game_date.map(|date| date.to_string()).unwrap_or_default(),
            entry.row.code.clone(),
            clip(&entry.row.sentence, 100),
        ]
    });
    table(&["id", "file", "line", "date", "code", "why"], &[0], rows) + "\n"
}

fn entry_page(entry: &QuarantineEntry) -> String {
    crate::cli::output::pairs(&[
        ("file", entry.row.source_file.clone()),
        ("at", entry.path.clone().unwrap_or_else(|| "not noted".to_owned())),
        ("line", line_of(entry)),
        ("date", entry.row.game_date.map_or_else(|| "not known".to_owned(), |date| date.to_string())),
        ("code", entry.row.code.clone()),
        ("why", entry.row.sentence.clone()),
        ("refused", format!("{:.0}", entry.ingested_at)),
        ("text", entry.row.excerpt.clone()),
        ("next", format!("tipoff ingest quarantine retry {}", entry.id)),
    ])
}
