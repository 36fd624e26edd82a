//! Commands that need no server.

use std::fs;
use std::process::Stdio;

use serde_json::Value;

use super::{Said, command, tipoff};
use crate::world::{World, small};

#[test]
fn the_first_command_publishes_a_slate_and_the_second_supersedes_it() {
    let folder = tempfile::tempdir().unwrap();
    let demo = || tipoff(folder.path(), &["demo", "--workers", "2"]);
    let first = demo().exit(0);
    for part in ["generation 1  complete", "predicted", "low_minutes", "figures", "largest margins"] {
        assert!(first.out.contains(part), "{part}: {}", first.out);
    }
    for part in ["tipoff-demo", "tipoff serve", "tipoff predictions"] {
        assert!(first.err.contains(part), "{part}: {}", first.err);
    }
    let second = demo().exit(0);
    assert!(second.out.contains("generation 2  complete"), "{}", second.out);
    assert!(second.err.contains(" 0 new"), "ingesting twice changed something: {}", second.err);

    let ask = |statement: &str| {
        let said = tipoff(folder.path(), &["sql", "--dir", "tipoff-demo", "--json", statement]).exit(0);
        let answer: Value = serde_json::from_str(&said.out).unwrap();
        answer["rows"][0][0].as_str().unwrap_or_default().parse::<i64>().unwrap()
    };
    let twice = "select count(*) from (select 1 from predictions where is_active \
                 group by game_id, player_lookup, market, system_id having count(*) > 1)";
    assert_eq!(ask(twice), 0);
    assert_eq!(ask("select count(distinct generation) from predictions where is_active"), 1);
    assert!(ask("select count(*) from predictions where not is_active") > 0);
}

#[test]
fn simulated_days_are_ingested_once_and_known_twice() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| tipoff(folder.path(), args);
    let simulate = ["simulate", "--out", "days", "--days", "14", "--games", "3", "--last-day", "2026-01-23"];
    run(&[&simulate[..], &["--defect", "stale=1", "--json"]].concat()).exit(0);
    let first: Value = serde_json::from_str(&run(&["ingest", "days", "--json"]).exit(0).out).unwrap();
    let second: Value = serde_json::from_str(&run(&["ingest", "days", "--json"]).exit(0).out).unwrap();
    let sum = |report: &Value, key: &str| {
        report["files"].as_array().unwrap().iter().map(|file| file[key].as_u64().unwrap()).sum::<u64>()
    };
    assert!(sum(&first, "new") > 1000, "{first}");
    assert_eq!(sum(&second, "new"), 0);
    let built = run(&["features", "build", "--game-date", "2026-01-23"]).exit(0);
    assert!(built.out.contains("2026-01-23"), "{}", built.out);
    run(&["features", "export", "--game-date", "2026-01-23", "--out", "features.csv"]).exit(0);
    assert!(fs::read_to_string(folder.path().join("features.csv")).unwrap().starts_with("game_date,game_id"));
    let slate = run(&["slate", "2026-01-23", "--as-of", "2026-01-23T23:20:00Z"]);
    assert!(slate.out.contains("3 games"), "{slate:?}");
    let runs = run(&["runs", "--stage", "ingest", "--limit", "1000", "--json"]).exit(0);
    let runs: Vec<Value> = serde_json::from_str(&runs.out).unwrap();
    assert!(runs.iter().all(|run| run["status"] == "success"), "{runs:?}");
    let runs_of_first = first["runs"].as_array().unwrap().len();
    assert_eq!((runs.len(), second["runs"].as_array().unwrap().len()), (runs_of_first, 0));

    let listed: Value =
        serde_json::from_str(&run(&["ingest", "ls", "--game-date", "2026-01-23", "--json"]).exit(0).out)
            .unwrap();
    let listed = listed.as_array().unwrap();
    assert!(
        listed.iter().any(|file| file["kind"] == "odds_v4_json" && file["state"] == "ingested"),
        "{listed:?}"
    );
    assert!(listed.iter().all(|file| file["size"].as_i64().unwrap() > 0), "{listed:?}");
    let page = run(&["ingest", "ls", "--game-date", "2026-01-23"]).exit(0);
    assert!(page.out.contains("rows of the date"), "{}", page.out);
}

#[test]
fn a_stage_that_is_not_ready_is_refused_and_its_override_is_on_record() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| tipoff(folder.path(), args);
    let simulate = ["simulate", "--out", "days", "--days", "9", "--games", "2", "--last-day", "2026-01-23"];
    run(&simulate).exit(0);
    let is_box = |name: &str| name.contains("box");
    for file in fs::read_dir(folder.path().join("days")).unwrap().map(Result::unwrap) {
        if is_box(&file.file_name().to_string_lossy()) {
            fs::remove_file(file.path()).unwrap();
        }
    }
    run(&["ingest", "days"]).exit(0);
    let build = |more: &[&str]| run(&[&["features", "build", "--game-date", "2026-01-23"], more].concat());
    assert!(build(&["--stage", "context"]).exit(0).out.contains("2 events"));
    let refused = build(&["--stage", "features"]).exit(75);
    assert!(refused.err.contains("box scores for 0 of") && refused.err.contains("--override-dependency"));
    build(&["--override-dependency"]).exit(2);
    assert_eq!(build(&["--stage", "predict"]).exit(2).out, "");
    let forced = build(&["--stage", "features", "--override-dependency"]);
    assert!(forced.out.contains("overridden: box scores for 0 of"), "{forced:?}");
    let runs = run(&["runs", "--stage", "features"]).exit(0).out;
    assert!(runs.contains("OVERRIDDEN: box scores for 0 of") && runs.contains("failed"), "{runs}");
}

#[test]
fn a_world_with_a_clock_of_its_own_and_real_days_never_meet() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("clock"), "2026-01-24T12:00:00Z").unwrap();
    let run = |is_simulated: bool, args: &[&str]| -> Said {
        let mut command = command(folder.path());
        if is_simulated {
            command.env("TIPOFF_WORLD_CLOCK", "clock");
        }
        command.args(args).output().unwrap().into()
    };
    run(true, &["simulate", "--out", "days", "--days", "3", "--games", "2", "--last-day", "TODAY"]).exit(0);
    run(false, &["ingest", "--dir", "real", "days"]).exit(0);
    // The day's later looks are ahead of its clock.
    let said = run(true, &["ingest", "--dir", "simulated", "days"]).exit(3);
    assert!(said.out.contains("clock_ahead"), "{said:?}");
    assert!(said.err.contains("this is a simulated world: it is 2026-01-24T12:00:00Z there"), "{said:?}");
    let said = run(true, &["runs", "--dir", "real"]).exit(1);
    assert!(
        said.err.contains("is of real days") && said.err.contains("unset TIPOFF_WORLD_CLOCK"),
        "{said:?}"
    );
    let said = run(false, &["ingest", "--dir", "simulated", "days"]).exit(1);
    assert!(said.err.contains("is of a simulated world"), "{said:?}");
    let doctor = run(true, &["doctor", "--dir", "simulated"]).exit(3);
    assert!(doctor.out.contains("this is a simulated world, nothing in it is real"), "{}", doctor.out);
    let slate = run(true, &["slate", "TODAY", "--dir", "simulated", "--json"]);
    let slate: Value = serde_json::from_str(&slate.out).unwrap();
    assert_eq!((&slate["game_date"], slate["games"].as_array().unwrap().len()), (&"2026-01-24".into(), 2));
}

#[test]
fn what_was_refused_is_listed_shown_and_tried_again_and_names_are_given() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| tipoff(folder.path(), args);
    let simulate = ["simulate", "--out", "days", "--days", "3", "--games", "2", "--last-day", "2026-01-23"];
    run(&simulate).exit(0);
    run(&["ingest", "days"]).exit(0);
    fs::write(folder.path().join("notes.csv"), "colour,taste\nred,sweet\n").unwrap();
    run(&["ingest", "notes.csv"]).exit(3);
    let listed: Vec<Value> =
        serde_json::from_str(&run(&["ingest", "quarantine", "list", "--json"]).exit(0).out).unwrap();
    let entry = listed.iter().find(|entry| entry["file"] == "notes.csv").unwrap();
    let id = entry["id"].to_string();
    assert!(run(&["ingest", "quarantine", "list"]).exit(0).out.contains("notes.csv"));
    assert!(run(&["ingest", "quarantine", "show", &id]).exit(0).out.contains("colour,taste"));
    // Still what it was; then somebody mends it; then it is gone.
    run(&["ingest", "quarantine", "retry", &id]).exit(3);
    fs::write(folder.path().join("notes.csv"), "odds_name,box_name\nHerb,Herbert Jones\n").unwrap();
    run(&["ingest", "quarantine", "retry", &id]).exit(0);
    fs::remove_file(folder.path().join("notes.csv")).unwrap();
    assert!(run(&["ingest", "quarantine", "retry", &id]).exit(4).err.contains("no longer at"));
    assert!(run(&["ingest", "quarantine", "show", "99999"]).exit(4).err.contains("99999"));

    assert!(run(&["names", "unresolved"]).exit(0).out.contains("odds_api"));
    assert!(run(&["names", "alias", "Nobody Known", "nobodyelse"]).exit(4).err.contains("nobodyelse"));
    assert!(run(&["names", "alias", "…", "nobodyelse"]).exit(2).err.contains("letter or digit"));
}

#[test]
fn incident_32_the_list_of_a_date_shows_what_is_not_in() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| tipoff(folder.path(), args);
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let odds = |id: &str, commence: &str| {
        format!(
            r#"{{"id":"{id}","sport_key":"basketball_nba","commence_time":"{commence}","home_team":"Boston Celtics","away_team":"Miami Heat","bookmakers":[{{"key":"draftkings","markets":[{{"key":"player_points","last_update":"2026-02-18T22:31:05Z","outcomes":[{{"name":"Over","description":"Some Body","price":1.91,"point":21.5}},{{"name":"Under","description":"Some Body","price":1.87,"point":21.5}}]}}]}}]}}"#
        )
    };
    let (tonight, tomorrow) = ("2026-02-19T00:10:00Z", "2026-02-20T00:10:00Z");
    write("drop/1-in.json", &odds("e1", tonight));
    write("drop/2-refused.csv", "colour,taste\nred,sweet\n");
    run(&["ingest", "drop"]).exit(3);
    write("drop/3-waits.json", &odds("e2", tonight));
    write("drop/4-another-day.json", &odds("e3", tomorrow));
    write("drop/5-a-table.csv", "odds_name,box_name\nHerb,Herbert Jones\n");
    let states = |args: &[&str]| -> Vec<(String, String)> {
        let args = [&["ingest", "ls", "--game-date", "2026-02-18", "--json"], args].concat();
        let files: Vec<Value> = serde_json::from_str(&run(&args).exit(0).out).unwrap();
        let text = |file: &Value, key: &str| file[key].as_str().unwrap().to_owned();
        files.iter().map(|file| (text(file, "name"), text(file, "state"))).collect()
    };
    let found = |wanted: &[(&str, &str)]| -> Vec<(String, String)> {
        wanted.iter().map(|(name, state)| ((*name).to_owned(), (*state).to_owned())).collect()
    };
    assert_eq!(states(&[]), found(&[("1-in.json", "ingested")]), "nothing else is named or configured");
    let all = found(&[
        ("1-in.json", "ingested"),
        ("2-refused.csv", "quarantined"),
        ("5-a-table.csv", "waiting"),
        ("3-waits.json", "waiting"),
    ]);
    let sorted = |mut files: Vec<(String, String)>| {
        files.sort();
        files
    };
    assert_eq!(sorted(states(&["drop"])), sorted(all.clone()), "another day's file is no file of this date");
    write("tipoff.toml", "[[sources]]\nname = \"drop\"\npath = \"drop\"\n");
    assert_eq!(sorted(states(&[])), sorted(all), "a configured folder needs no name");
    let page = run(&["ingest", "ls", "--game-date", "2026-02-18"]).exit(0).out;
    assert!(page.contains("2 files wait, 1 are in the quarantine as a whole"), "{page}");
    run(&["ingest", "ls", "--game-date", "2026-02-18", "nowhere"]).exit(4);
    run(&["ingest", "drop"]).exit(3);
    let after = states(&[]);
    assert!(after.contains(&("3-waits.json".to_owned(), "ingested".to_owned())), "{after:?}");
    assert!(!after.iter().any(|(_, state)| state == "waiting"), "{after:?}");
}

/// Every player's night is like the first one's: averages that tell nobody from anybody.
fn same_for_everybody(box_scores: &str) -> String {
    let mut lines = box_scores.lines();
    let header = lines.next().unwrap();
    let at = header.split(',').position(|column| column == "min").unwrap();
    let mut pattern: Option<Vec<String>> = None;
    let mut text = format!("{header}\n");
    for line in lines {
        let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
        let pattern = pattern.get_or_insert_with(|| cells[at..].to_vec());
        cells.truncate(at);
        cells.extend(pattern.iter().cloned());
        text += &format!("{}\n", cells.join(","));
    }
    text
}

#[test]
fn incident_76_a_blocked_date_is_named_and_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| tipoff(folder.path(), args);
    let simulate = ["simulate", "--out", "days", "--days", "12", "--games", "4", "--last-day", "2026-01-23"];
    run(&simulate).exit(0);
    let path = folder.path().join("days/box_scores.csv");
    fs::write(&path, same_for_everybody(&fs::read_to_string(&path).unwrap())).unwrap();
    run(&["ingest", "days"]).exit(0);
    let build = ["features", "build", "--game-date", "2026-01-23"];
    for json in [&[][..], &["--json"]] {
        let said = run(&[&build[..], json].concat()).exit(3);
        assert!(said.err.contains("nothing was stored for 2026-01-23"), "{}", said.err);
        assert!(said.err.contains("--accept"), "{}", said.err);
    }
    let stored = run(&["sql", "--json", "select count(*) from features"]).exit(0);
    assert!(stored.out.contains("\"0\""), "{}", stored.out);
}

#[test]
fn a_foreign_file_is_refused_and_the_rest_goes_in() {
    let folder = tempfile::tempdir().unwrap();
    let simulate = ["simulate", "--out", "days", "--days", "3", "--games", "2", "--last-day", "2026-01-23"];
    tipoff(folder.path(), &simulate).exit(0);
    fs::write(folder.path().join("days/notes.csv"), "colour,taste\nred,sweet\n").unwrap();
    fs::write(folder.path().join("days/broken.json"), "{\"id\": ").unwrap();
    let looked = tipoff(folder.path(), &["doctor", "days"]).exit(3);
    assert!(looked.out.contains("broken.json"), "{}", looked.out);
    assert!(!folder.path().join("tipoff-data").exists(), "the doctor changed something");
    let said = tipoff(folder.path(), &["ingest", "days"]).exit(3);
    assert!(said.out.contains("broken.json") && said.out.contains("quarantined"), "{}", said.out);
    assert!(said.out.contains("player_games"), "{}", said.out);
}

#[test]
fn what_is_typed_wrong_is_one_sentence_and_an_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bad.toml"), "[protocol]\nleasems = 3\n").unwrap();
    fs::write(folder.path().join("foreign.db"), "this is no database, only some text").unwrap();
    for (args, code, part) in [
        (&["unheard-of"][..], 2, "unrecognized subcommand"),
        (&["start", "--run-mode", "SOON"], 2, "expected one of"),
        (&["--config", "bad.toml", "status"], 2, "did you mean `protocol.lease_ms`"),
        (&["--config", "missing.toml", "status"], 2, "missing.toml"),
        (&["--state", "mysql://u:canary@h", "doctor"], 1, "is not known"),
        (&["--state", "redis://u:canary@127.0.0.1:1", "bench", "jobs"], 1, "redis://***@127.0.0.1:1"),
        (&["--warehouse", "postgres://u:canary@h/d", "slate"], 1, "PostgreSQL"),
        (&["--warehouse", "sqlite:foreign.db", "slate"], 1, "foreign.db"),
        (&["slate", "2026-01-23"], 4, "there is no warehouse"),
        (&["sql", "select 1"], 4, "tipoff ingest"),
        (&["ingest", "nowhere"], 4, "there is no `nowhere`"),
        (&["slate", "tonight"], 2, "expected YYYY-MM-DD"),
        (&["simulate", "--defect", "bad=1"], 2, "expected CODE=COUNT"),
        (&["--server", "http://127.0.0.1:1", "status"], 75, "no server answers"),
        (&["--server", "localhost", "status"], 2, "http://127.0.0.1:8080"),
        (&["--server", "http://127.0.0.1:1", "reset"], 2, "name a batch or a date"),
        (&["serve", "--listen", "0.0.0.0:0"], 2, "without an API key"),
        (&["serve", "--listen", "8080"], 2, "expected IP:PORT"),
        (&["--models", "nowhere", "models"], 3, "models folder"),
    ] {
        let said = tipoff(folder.path(), args);
        assert_eq!(said.code, code, "{args:?}: {said:?}");
        assert!(format!("{}{}", said.err, said.out).contains(part), "{args:?}: {said:?}");
        assert!(!said.err.contains("canary") && !said.out.contains("canary"), "{args:?}: {said:?}");
        assert!(!said.err.contains("panicked"), "{args:?}: {said:?}");
    }
}

#[test]
fn settings_are_shown_with_their_origin_and_a_page_is_written_once() {
    let folder = tempfile::tempdir().unwrap();
    let show = |name: &str, value: &str| -> Said {
        command(folder.path()).args(["config", "show", "--json"]).env(name, value).output().unwrap().into()
    };
    let said = show("TIPOFF_PROTOCOL_LEASE_MS", "500").exit(0);
    let settings: Vec<Value> = serde_json::from_str(&said.out).unwrap();
    let of = |key: &str| settings.iter().find(|setting| setting["key"] == key).unwrap();
    assert_eq!(of("protocol.lease_ms")["origin"], "environment TIPOFF_PROTOCOL_LEASE_MS");
    assert_eq!(of("protocol.renew_ms")["value"], "150");
    let secret = show("TIPOFF_API_KEY", "canary-0123456789abcdef").exit(0);
    assert!(secret.out.contains("(set)") && !secret.out.contains("canary"));
    assert!(show("TIPOFF_PROTOCOL_LEASE", "500").exit(2).err.contains("names no setting"));

    tipoff(folder.path(), &["config", "init"]).exit(0);
    tipoff(folder.path(), &["config", "show"]).exit(0);
    assert!(tipoff(folder.path(), &["config", "init"]).exit(5).err.contains("was not touched"));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    for args in [&["config", "show"][..], &["completions", "bash"], &["models"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let child = command(folder.path()).args(args).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let said = Said::from(child.wait_with_output().unwrap());
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{args:?}");
    }
}

#[test]
fn the_doctor_names_a_store_that_belongs_to_another_warehouse() {
    let ours = World::new(&small());
    let state = format!("sqlite:{}", ours.dir.path().join("state.db").display());
    let config = ours.config(|config| config.state = state.parse().unwrap());
    ours.with_instance(&config, async |_| ());
    // Worlds of one template share a warehouse id, so another one is made here.
    let other = tempfile::tempdir().unwrap();
    let warehouse = format!("sqlite:{}", other.path().join("warehouse.db").display());
    let simulate = ["simulate", "--out", "days", "--days", "2", "--games", "1", "--last-day", "2026-01-23"];
    tipoff(other.path(), &simulate).exit(0);
    tipoff(other.path(), &["ingest", "days", "--warehouse", &warehouse]).exit(0);
    let said = tipoff(other.path(), &["doctor", "--state", &state, "--warehouse", &warehouse]).exit(1);
    assert!(said.out.contains("pairing") && said.out.contains("name the right pair"), "{}", said.out);
    let listen = ["serve", "--listen", "127.0.0.1:0", "--state", &state, "--warehouse", &warehouse];
    let refused = tipoff(other.path(), &listen).exit(1);
    assert!(refused.err.contains("belong"), "{}", refused.err);
    tipoff(ours.dir.path(), &["doctor", "--dir", "."]).exit(0);
}
