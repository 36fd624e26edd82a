//! Coverage and backfill over simulated days, with processes that are killed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use jiff::ToSpan;
use jiff::civil::Date;
use pipeline::simulate::SimOptions;
use serde_json::Value;

use super::{command, tipoff};

const PATIENCE: Duration = Duration::from_secs(120);

/// Twenty-four days of which the last five have odds, ingested. Nights as large as these have columns that are alive.
fn league(folder: &Path) -> (Date, Date) {
    let options = SimOptions {
        days: 24,
        from: "2025-10-22".parse().unwrap(),
        games_per_day: 6,
        odds_days: 5,
        ..SimOptions::ending("2025-11-14".parse().unwrap(), 1)
    };
    let report = pipeline::simulate::days(&options, &folder.join("files")).unwrap();
    tipoff(folder, &["ingest", "--dir", "data", "files"]).exit(0);
    (report.last_day.checked_sub(4.days()).unwrap(), report.last_day)
}

pub(super) fn ask(folder: &Path, statement: &str) -> Vec<Vec<String>> {
    let said = tipoff(folder, &["sql", "--dir", "data", "--json", statement]).exit(0);
    let answer: Value = serde_json::from_str(&said.out).unwrap();
    let rows = answer["rows"].as_array().unwrap().iter();
    rows.map(|row| {
        row.as_array().unwrap().iter().map(|cell| cell.as_str().unwrap_or("").to_owned()).collect()
    })
    .collect()
}

pub(super) fn number(folder: &Path, statement: &str) -> u64 {
    ask(folder, statement)[0][0].parse().unwrap()
}

fn backfill(folder: &Path, from: Date, to: Date) -> Child {
    let mut command = command(folder);
    command.args(["backfill", "--dir", "data", "--from", &from.to_string(), "--to", &to.to_string()]);
    command.env("TIPOFF_PROTOCOL_LEASE_MS", "600").env("TIPOFF_PROTOCOL_SWEEP_MS", "100");
    command.env("TIPOFF_WORKERS_SIZE", "1");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Each date's steps that were carried out, by stage and date.
fn successes(folder: &Path) -> BTreeMap<(String, String), u64> {
    let rows = ask(
        folder,
        "select stage, game_date, count(*) from runs where stage like 'backfill%' and status = 'success' group by 1, 2",
    );
    rows.into_iter().map(|row| ((row[0].clone(), row[1].clone()), row[2].parse().unwrap())).collect()
}

fn assert_complete(folder: &Path) {
    let done = successes(folder);
    assert_eq!(done.len(), 10, "two steps on five dates: {done:?}");
    assert!(done.values().all(|n| *n == 1), "each step once: {done:?}");
    assert_eq!(number(folder, "select count(*) from slates where published_generation > 0"), 5);
    assert_eq!(number(folder, "select count(*) from batches where state in ('complete', 'partial')"), 5);
    let twice = "select count(*) from (select 1 from predictions where is_active
                 group by game_id, player_lookup, market, system_id having count(*) > 1)";
    assert_eq!(number(folder, twice), 0);
    let late =
        "select count(*) from predictions p join games g on g.game_id = p.game_id where p.as_of > g.tip_off";
    assert_eq!(number(folder, late), 0, "nothing is known after tip-off");
}

#[test]
fn incident_51_a_backfill_killed_twice_resumes_and_ends_with_every_date_complete() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (from, to) = league(folder);
    let dry = tipoff(
        folder,
        &[
            "backfill",
            "--dir",
            "data",
            "--from",
            &from.to_string(),
            "--to",
            &to.to_string(),
            "--dry-run",
            "--json",
        ],
    );
    let plan: Value = serde_json::from_str(&dry.exit(0).out).unwrap();
    assert_eq!(plan["credits"], 0);
    let dates = plan["dates"].as_array().unwrap();
    let with_work = dates.iter().filter(|date| date["steps"].as_object().unwrap().len() == 2).count();
    assert_eq!(with_work, 5, "{plan:#}");
    assert!(successes(folder).is_empty(), "a dry run does nothing");

    for steps in [1, 4] {
        let mut running = backfill(folder, from, to);
        let since = Instant::now();
        while successes(folder).len() < steps && running.try_wait().unwrap().is_none() {
            assert!(since.elapsed() < PATIENCE, "no step was carried out");
        }
        running.kill().unwrap();
        running.wait().unwrap();
        let dates: Vec<String> = successes(folder).into_keys().map(|(_, date)| date).collect();
        let first = dates.iter().min().map(String::as_str);
        assert_eq!(first, Some(from.to_string().as_str()), "dates ascend");
    }
    let last = backfill(folder, from, to).wait_with_output().unwrap();
    assert!(last.status.success(), "{}", String::from_utf8_lossy(&last.stdout));
    assert_complete(folder);

    let again =
        tipoff(folder, &["backfill", "--dir", "data", "--from", &from.to_string(), "--to", &to.to_string()]);
    assert!(again.exit(0).out.contains("done: nothing"));
    assert_complete(folder);
}

#[test]
fn two_backfills_at_once_share_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (from, to) = league(folder);
    let both = [backfill(folder, from, to), backfill(folder, from, to)];
    for one in both {
        let said = one.wait_with_output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
    }
    assert_complete(folder);
}

#[test]
fn coverage_says_what_there_is_of_each_day() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (from, to) = league(folder);
    let before = from.checked_sub(1.days()).unwrap();
    let said = tipoff(
        folder,
        &[
            "coverage",
            "--dir",
            "data",
            "--from",
            &before.to_string(),
            "--to",
            &to.to_string(),
            "--html",
            "page.html",
            "--json",
        ],
    )
    .exit(3);
    let report: Value = serde_json::from_str(&said.out).unwrap();
    let days = report["days"].as_array().unwrap();
    let status: Vec<_> = days.iter().map(|day| day["status"].as_str().unwrap()).collect();
    assert_eq!(status, ["missing", "complete", "complete", "complete", "complete", "complete"]);
    assert_eq!(report["without_snapshot"], serde_json::json!([before.to_string()]));
    assert_eq!(days[1]["with_lines"], 6);
    assert!(days[1]["sources"][0]["files"].as_u64().unwrap() >= 2, "{report:#}");
    let page = std::fs::read_to_string(folder.join("page.html")).unwrap();
    assert!(page.contains(&format!("<th>{before}</th>")) && !page.contains("{{"), "the page is whole");
    assert!(!page.contains("http"), "the page needs no network");
    let text = tipoff(
        folder,
        &["coverage", "--dir", "data", "--from", &before.to_string(), "--to", &to.to_string()],
    );
    assert!(text.exit(3).out.contains(&format!("days with games and no snapshot: {before}")));
}
