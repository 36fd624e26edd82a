//! Roles from the command line: who may be champion, who is taken out, and who compares how.

use std::fs;
use std::path::Path;

use coordinator::config::Config;
use coordinator::engine::{Instance, run};
use proto::RunMode;
use proto::api::StartRequest;
use serde_json::Value;

use super::evaluate::{json, simulated};
use super::{Said, tipoff};
use crate::world::finish;

/// The line and six more for whoever plays at home, six less for the others.
const BOLD: &str = r#"
format = 1
system_id = "bold_v1"
market = "points"
target = "points"
role = "shadow"
engine = "formula"
features = ["vegas_points_line", "home_away"]
intercept = -6.0

[weights]
vegas_points_line = 1.0
home_away = 12.0

[[reference]]
inputs = [20.0, 1.0]
expected = 26.0
"#;

/// As bold, and on the other side each time.
fn wrong() -> String {
    let other = BOLD.replace("bold_v1", "wrong_v1").replace("intercept = -6.0", "intercept = 6.0");
    other.replace("home_away = 12.0", "home_away = -12.0").replace("expected = 26.0", "expected = 14.0")
}

const WINDOW: [&str; 4] = ["--from", "2025-11-09", "--to", "2025-11-12"];

/// From the 9th on, home teams score six free throws a player more and guests three baskets less: a world in which
/// [`BOLD`] is right.
fn tilt(files: &Path) {
    let path = files.join("box_scores.csv");
    let text = fs::read_to_string(&path).unwrap();
    let names: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let at = |name: &str| names.iter().position(|column| *column == name).unwrap();
    let tilted = |line: &str| {
        let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
        if cells[at("game_date")].as_str() < "2025-11-09" || cells[0] == "season" {
            return line.to_owned();
        }
        let number = |cells: &[String], name: &str| cells[at(name)].parse::<i64>().unwrap();
        let changes = if cells[at("is_home")] == "1" {
            vec![("pts", 6), ("ftm", 6), ("fta", 6)]
        } else {
            let fewer = (number(&cells, "fgm") - number(&cells, "fg3m")).min(3);
            vec![("pts", -2 * fewer), ("fgm", -fewer)]
        };
        for (name, n) in changes {
            cells[at(name)] = (number(&cells, name) + n).to_string();
        }
        cells.join(",")
    };
    let lines: Vec<String> = text.lines().map(tilted).collect();
    fs::write(&path, lines.join("\n") + "\n").unwrap();
}

/// A league with features and results for four nights, and a folder of one card.
fn league(folder: &Path) {
    tilt(&simulated(folder));
    fs::create_dir(folder.join("zoo")).unwrap();
    fs::write(folder.join("zoo/bold.toml"), BOLD).unwrap();
    fs::write(folder.join("zoo/wrong.toml"), wrong()).unwrap();
    tipoff(folder, &["ingest", "files", "--dir", ".", "--json"]).exit(0);
    let build = ["features", "build", "--game-date", "2025-11-09", "--to", "2025-11-12"];
    tipoff(folder, &[&build[..], &["--dir", "."]].concat()).exit(0);
}

fn models(folder: &Path, args: &[&str]) -> Said {
    tipoff(folder, &[&["--dir", ".", "--models", "zoo", "models"][..], args].concat())
}

fn promote(folder: &Path, system: &str, more: &[&str]) -> Said {
    models(folder, &[&["promote", system][..], &WINDOW, more].concat())
}

/// Publishes two nights, as a running server would have.
fn two_nights_in_the_shadow(folder: &Path) {
    let mut config = Config::for_dir(folder).unwrap();
    config.models = Some(folder.join("zoo"));
    config.state = state::StateUrl::Memory;
    config.workers = coordinator::config::PoolSize::Fixed(2);
    run(async {
        let instance = Instance::start(&config).await.unwrap();
        for night in ["2025-11-11", "2025-11-12"] {
            let request = StartRequest {
                game_date: Some(night.to_owned()),
                as_of: Some(format!("{night}T23:00:00Z").parse().unwrap()),
                run_mode: Some(RunMode::LastCall),
                ..StartRequest::default()
            };
            let status = finish(&instance, request).await;
            assert_eq!(status.state, "complete", "{status:#?}");
        }
        instance.stop(std::time::Duration::from_secs(1)).await;
    })
    .unwrap();
}

/// Roles for points, by name.
fn role_of(folder: &Path, system: &str) -> String {
    let listed = json(&models(folder, &["list", "--json"]));
    let is_it = |model: &&Value| model["system_id"] == system && model["market"] == "points";
    let disabled = listed["disabled"].as_array().unwrap().iter().find(is_it);
    let served = listed["models"].as_array().unwrap().iter().find(is_it);
    match (served, disabled) {
        (Some(model), None) => model["role"].as_str().unwrap().to_owned(),
        (None, Some(_)) => "disabled".to_owned(),
        other => panic!("{system}: {other:?}"),
    }
}

/// The newest record of a role change.
fn recorded(folder: &Path) -> Value {
    let said = tipoff(folder, &["--dir", ".", "runs", "--stage", "models", "--limit", "1", "--json"]).exit(0);
    json(&said)[0].clone()
}

fn refusing(change: &Value) -> Vec<&str> {
    let gates = change["gates"].as_array().unwrap().iter();
    let refusing = gates.filter(|gate| gate["passed"] == false && gate["weight"] == "hard");
    refusing.map(|gate| gate["gate"].as_str().unwrap()).collect()
}

#[test]
fn a_champion_passes_every_gate_or_is_forced_and_recorded() {
    let world = tempfile::tempdir().unwrap();
    let folder = world.path();
    league(folder);

    // Right about everything, and seen by nobody yet.
    let said = promote(folder, "bold_v1", &["--yes", "--json"]).exit(5);
    assert_eq!(refusing(&json(&said)), ["shadow_days"], "{said:#?}");
    assert!(said.err.contains("shadow_days: published on 0 dates so far, 2 are required"), "{}", said.err);
    assert!(!folder.join("zoo/roles.toml").exists(), "a refusal writes no role");
    let record = recorded(folder);
    assert!(
        record["status"] == "failed" && record["error"].as_str().unwrap().contains("on 0 dates"),
        "{record}"
    );

    two_nights_in_the_shadow(folder);
    let would = promote(folder, "bold_v1", &["--dry-run"]).exit(0);
    assert!(would.out.contains("bold_v1 for points: shadow -> champion; catboost_v2: champion -> shadow"));
    assert!(would.err.contains("hit_rate") && would.err.contains("53.0 % is required"), "{}", would.err);
    assert!(promote(folder, "bold_v1", &[]).exit(2).err.contains("--yes"));
    assert!(!folder.join("zoo/roles.toml").exists(), "nobody has agreed yet");

    let change = json(&promote(folder, "bold_v1", &["--yes", "--json"]).exit(0));
    assert!(change["done"] == true && change["forced"] == false, "{change}");
    assert_eq!(refusing(&change), [""; 0]);
    assert!(change["evidence"]["rows"].as_u64().unwrap() > 40, "{change}");
    assert_eq!(
        (role_of(folder, "bold_v1").as_str(), role_of(folder, "catboost_v2").as_str()),
        ("champion", "shadow")
    );
    assert!(promote(folder, "bold_v1", &["--yes"]).exit(0).out.contains("champion for points already"));

    let refused = promote(folder, "wrong_v1", &["--yes"]).exit(5);
    for part in ["wrong_v1 may not be champion for points", "hit_rate: ", "53.0 % is required", "--force"] {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
    assert_eq!(role_of(folder, "bold_v1"), "champion");
    let forced = json(&promote(folder, "wrong_v1", &["--yes", "--force", "--json"]).exit(0));
    assert!(forced["forced"] == true && !refusing(&forced).is_empty(), "{forced}");
    assert_eq!(role_of(folder, "wrong_v1"), "champion");
    let record = recorded(folder);
    let counts = &record["counts"];
    assert!(
        record["status"] == "success" && counts["forced"] == true && counts["role"] == "champion",
        "{record}"
    );
    let against = counts["against"].as_array().unwrap();
    assert_eq!(against.len(), refusing(&forced).len(), "what was overridden is in the record: {record}");

    for (args, code, part) in [
        (&["promote", "nobody_v1", "--yes"][..], 4, "no model `nobody_v1` for points"),
        (&["promote", "catboost_v2", "--as", "shadow", "--yes"], 0, "is shadow for points already"),
        (&["promote", "wrong_v1", "--as", "shadow", "--yes"], 5, "is the champion for points"),
        (&["promote", "catboost_v2", "--from", "2025-11-12", "--to", "2025-11-09"], 2, "before it begins"),
        (&["promote", "catboost_v2", "--refits", "nowhere", "--yes"], 1, "nowhere"),
    ] {
        let said = models(folder, args).exit(code);
        assert!(format!("{}{}", said.out, said.err).contains(part), "{args:?}: {said:#?}");
    }
    let homeless = tipoff(folder, &["--dir", ".", "models", "promote", "bold_v1", "--yes"]).exit(2);
    assert!(homeless.err.contains("--models DIR"), "{}", homeless.err);

    compares(folder);
}

/// The same nights, two by two.
fn compares(folder: &Path) {
    let compare =
        |a: &str, b: &str, more: &[&str]| models(folder, &[&["compare", a, b][..], &WINDOW, more].concat());
    let found = json(&compare("bold_v1", "wrong_v1", &["--json"]).exit(0));
    assert!(found["n"].as_u64().unwrap() > 40 && found["dates"] == 4, "{found}");
    assert_eq!(found["mae"]["better"], "bold_v1", "{found}");
    let difference = |found: &Value| found["mae"]["difference"]["value"].as_f64().unwrap();
    let swapped = json(&compare("wrong_v1", "bold_v1", &["--json"]).exit(0));
    assert!((difference(&found) + difference(&swapped)).abs() < 1e-12, "{found} {swapped}");
    let page = compare("bold_v1", "consensus_line", &[]).exit(0).out;
    for part in ["FIGURE", "mae", "DIFFERENCE", "BETTER", "correlation of errors", "that both answered"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for (a, b, code, part) in [
        ("bold_v1", "bold_v1", 2, "compared with itself"),
        ("bold_v1", "nobody_v1", 4, "nobody_v1 has no row for points"),
        ("bold_v1", "Bold", 2, "Bold"),
    ] {
        let said = compare(a, b, &[]).exit(code);
        assert!(said.err.contains(part), "{a} {b}: {}", said.err);
    }
}

#[test]
fn a_disabled_model_is_out_until_it_is_a_shadow_again() {
    let world = tempfile::tempdir().unwrap();
    let folder = world.path();
    let disable = |system: &str, more: &[&str]| models(folder, &[&["disable", system][..], more].concat());
    let would = disable("xgb_v2_noveg", &["--dry-run"]).exit(0);
    assert!(would.out.contains("xgb_v2_noveg for points: shadow -> disabled"), "{}", would.out);
    assert!(disable("xgb_v2_noveg", &[]).exit(2).err.contains("--yes"));
    assert!(!folder.join("zoo").exists(), "nothing was agreed to");
    disable("xgb_v2_noveg", &["--yes"]).exit(0);
    assert_eq!(role_of(folder, "xgb_v2_noveg"), "disabled");
    assert_eq!(role_of(folder, "catboost_v2"), "champion", "a change of one touches nobody else");
    assert!(models(folder, &["list"]).exit(0).out.contains("DISABLED"));
    assert!(disable("xgb_v2_noveg", &["--yes"]).exit(0).out.contains("disabled for points already"));

    let too_soon = models(folder, &["promote", "xgb_v2_noveg", "--yes"]).exit(5);
    assert!(too_soon.err.contains("--as shadow"), "{}", too_soon.err);
    models(folder, &["promote", "xgb_v2_noveg", "--as", "shadow", "--yes"]).exit(0);
    assert_eq!(role_of(folder, "xgb_v2_noveg"), "shadow");

    assert!(disable("catboost_v2", &["--yes"]).exit(5).err.contains("promote another one first"));
    let forced = json(&disable("catboost_v2", &["--yes", "--force", "--json"]).exit(0));
    assert_eq!(forced["against"], serde_json::json!(["catboost_v2 is the champion for points"]));
    let counts = recorded(folder)["counts"].clone();
    assert!(counts["forced"] == true && counts["champion_before"] == "catboost_v2", "{counts}");
    let rebounds = |args: &[&str]| models(folder, &[args, &["--market", "rebounds", "--yes"]].concat());
    for system in ["catboost_v2_lowveg", "moving_average_v1"] {
        rebounds(&["disable", system]).exit(0);
    }
    let last = rebounds(&["disable", "catboost_v2", "--force"]).exit(5);
    assert!(last.err.contains("the last model for rebounds"), "{}", last.err);

    fs::write(folder.join("zoo/roles.toml"), "format = 1\nchampion = 3\n").unwrap();
    let broken = disable("lgbm_v2", &["--yes"]).exit(1);
    assert!(broken.err.contains("mend or remove roles.toml"), "{}", broken.err);
    let kept = fs::read_to_string(folder.join("zoo/roles.toml")).unwrap();
    assert_eq!(kept, "format = 1\nchampion = 3\n", "what cannot be read is not written over");
    let listed = models(folder, &["list"]).exit(3);
    assert!(listed.out.contains("no model is champion"), "{}", listed.out);
}

#[test]
fn incident_81_a_model_that_cannot_run_gets_no_role() {
    let world = tempfile::tempdir().unwrap();
    let folder = world.path();
    fs::create_dir(folder.join("zoo")).unwrap();
    let card = BOLD.replace("role = \"shadow\"", "role = \"disabled\"");
    fs::write(folder.join("zoo/bold.toml"), card.replace("expected = 26.0", "expected = 27.0")).unwrap();
    let enable = || models(folder, &["promote", "bold_v1", "--as", "shadow", "--yes"]);
    // Disabled, it loads nothing and is in order; enabled, it would answer otherwise than where it was made.
    let said = enable().exit(1);
    assert!(
        said.err.contains("bold_v1 cannot be shadow for points: reference vector 0 must give 27"),
        "{}",
        said.err
    );
    assert!(!folder.join("zoo/roles.toml").exists());
    fs::write(folder.join("zoo/bold.toml"), card.replace("home_away", "shoe_size")).unwrap();
    assert!(enable().exit(1).err.contains("shoe_size"));
    fs::write(folder.join("zoo/bold.toml"), card).unwrap();
    enable().exit(0);
    assert_eq!(role_of(folder, "bold_v1"), "shadow");
}
