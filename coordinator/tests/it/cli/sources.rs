//! `tipoff ingest --source` and `--watch`, as a person meets them. Vendors are played in the tests of `pipeline`; here
//! nobody answers.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Said, command, tipoff};

const CANARY: &str = "canary-0123456789abcdef";

const EVENT: &str = r#"{"id":"e1","sport_key":"basketball_nba","commence_time":"2026-02-19T00:10:00Z",
 "home_team":"Boston Celtics","away_team":"Miami Heat","bookmakers":[{"key":"draftkings","markets":[
 {"key":"player_points","last_update":"2026-02-18T22:31:05Z","outcomes":[
  {"name":"Over","description":"Sample Guard Jr.","price":1.91,"point":21.5},
  {"name":"Under","description":"Sample Guard Jr.","price":1.87,"point":21.5}]}]}]}"#;

#[test]
fn who_has_no_source_is_told_how_to_name_one() {
    let folder = tempfile::tempdir().unwrap();
    let said = tipoff(folder.path(), &["ingest", "--watch"]).exit(2);
    assert!(said.err.contains("TIPOFF_ODDS_API_KEY") && said.err.contains("[[sources]]"), "{said:?}");
    assert!(!folder.path().join("tipoff-data").exists(), "nothing was made");
    fs::write(folder.path().join("tipoff.toml"), "[[sources]]\nname = \"drop\"\npath = \"drop\"\n").unwrap();
    let said = tipoff(folder.path(), &["ingest", "--source", "odds-api"]).exit(4);
    assert!(said.err.contains("configured are drop"), "{said:?}");
    for wrong in [&["ingest"][..], &["ingest", "days", "--watch"], &["ingest", "--game-date", "TODAY"]] {
        tipoff(folder.path(), wrong).exit(2);
    }
}

#[test]
fn a_plan_costs_nothing_and_a_vendor_that_nobody_reaches_is_told_without_its_key() {
    let folder = tempfile::tempdir().unwrap();
    // Port 9 of this machine: nobody listens there.
    fs::write(
        folder.path().join("tipoff.toml"),
        "[odds_api]\nbase_url = \"http://127.0.0.1:9\"\ncredits_per_day = 60\n",
    )
    .unwrap();
    let run = |args: &[&str]| -> Said {
        command(folder.path()).env("TIPOFF_ODDS_API_KEY", CANARY).args(args).output().unwrap().into()
    };
    let plan = run(&["ingest", "--watch", "--plan"]).exit(0);
    assert!(plan.out.contains("odds-api: ") && plan.out.contains("0 of 60 credits"), "{}", plan.out);
    assert!(plan.out.contains("list of events"), "{}", plan.out);
    let asked = run(&["ingest", "--source", "odds-api", "--game-date", "TODAY"]).exit(3);
    assert!(asked.out.contains("failed (unreachable)"), "{asked:?}");
    let json: Value =
        serde_json::from_str(&run(&["ingest", "--source", "odds-api", "--json"]).exit(0).out).unwrap();
    assert!(json["polls"][0]["sentence"].as_str().unwrap().contains("asked again"), "{json}");
    let shown = run(&["config", "show"]).exit(0);
    assert!(shown.out.contains("(set)"), "{}", shown.out);
    for said in [plan, asked, shown] {
        assert!(!format!("{said:?}").contains(CANARY), "{said:?}");
    }
    let ledger = fs::read_to_string(folder.path().join("tipoff-data/sources.json")).unwrap();
    assert!(ledger.contains("unreachable") && !ledger.contains(CANARY), "{ledger}");
}

#[test]
fn a_watched_folder_is_read_until_somebody_says_stop() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("drop")).unwrap();
    fs::write(folder.path().join("drop/odds.json"), EVENT).unwrap();
    fs::write(
        folder.path().join("tipoff.toml"),
        "[[sources]]\nname = \"drop\"\npath = \"drop\"\nevery_seconds = 1\n",
    )
    .unwrap();
    let mut command = command(folder.path());
    let mut child =
        command.args(["ingest", "--watch"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let found = said.by_ref().map_while(Result::ok).find(|line| line.starts_with("ingested 1 files"));
    assert!(found.is_some_and(|line| line.contains("2 rows are new")), "one quote of two outcomes");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", pid.as_str()]).status().unwrap().success());
    // The pipe ends with the process.
    said.by_ref().for_each(drop);
    let status = child.wait().unwrap();
    let mut talk = String::new();
    child.stderr.take().unwrap().read_to_string(&mut talk).unwrap();
    assert_eq!(status.code(), Some(0), "{talk}");
    assert!(talk.contains("stopping on SIGTERM"), "{talk}");
    let lines = tipoff(folder.path(), &["sql", "select count(*) from lines"]).exit(0);
    assert!(lines.out.contains('1'), "{}", lines.out);
}
