//! `tipoff models evaluate` on simulated days.

use std::fs;
use std::path::{Path, PathBuf};

use pipeline::simulate::{SimOptions, days};
use serde_json::Value;

use super::{Said, tipoff};

/// A formula that has seen no results, with a probability fitted on days up to 2025-11-10.
const CARD: &str = r#"
format = 1
system_id = "mean_v1"
market = "points"
target = "points"
role = "shadow"
engine = "formula"
features = ["points_avg_last_10"]

[weights]
points_avg_last_10 = 1.0

[calibration]
method = "platt"
from = "2025-10-25"
to = "2025-11-10"
rows = 100
intercept = 0.0
slope = 0.1

[[reference]]
inputs = [20.0]
expected = 20.0
"#;

/// The same from somebody who has seen the results up to 2025-11-09.
fn seen() -> String {
    let window = "[training]\nstart = \"2025-10-25\"\nend = \"2025-11-09\"\n\n[calibration]";
    CARD.replace("mean_v1", "seen_v1").replace("[calibration]", window)
}

/// Three weeks with odds on the last six days; the last one has no results.
pub(super) fn simulated(folder: &Path) -> PathBuf {
    let options = SimOptions {
        days: 21,
        from: "2025-10-25".parse().unwrap(),
        games_per_day: 3,
        // Below fifty rows a night, so that columns are not judged by how they scatter.
        players_per_team: 8,
        odds_days: 6,
        injured: 0,
        late: 0,
        ..SimOptions::ending("2025-11-14".parse().unwrap(), 11)
    };
    let files = folder.join("files");
    days(&options, &files).unwrap();
    files
}

/// What was there in the morning after a date: later box scores and odds are not.
fn known_after(date: &str, files: &Path, to: &Path) {
    fs::create_dir_all(to.join("odds")).unwrap();
    for entry in fs::read_dir(files).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_file() {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let has_results = ["box_scores.csv", "team_games.csv"].contains(&name);
        let header = text.lines().next().unwrap().split(',');
        let at = header.clone().position(|column| column == "game_date").filter(|_| has_results);
        let known = |line: &&str| match at {
            Some(at) => line.split(',').nth(at).is_some_and(|cell| cell == "game_date" || cell <= date),
            None => true,
        };
        let kept: Vec<&str> = text.lines().filter(known).collect();
        assert!(!has_results || kept.len() < text.lines().count(), "{name}: nothing was later");
        fs::write(to.join(name), kept.join("\n") + "\n").unwrap();
    }
    // Names begin with the instant of the look, UTC; the night's last look is before five in the morning.
    let end = format!(
        "{}_050000",
        (date.parse::<jiff::civil::Date>().unwrap().tomorrow().unwrap()).strftime("%Y%m%d")
    );
    for entry in fs::read_dir(files.join("odds")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name < end.as_str() {
            fs::copy(&path, to.join("odds").join(name)).unwrap();
        }
    }
}

pub(super) fn json(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"))
}

fn system<'a>(evaluation: &'a Value, name: &str) -> &'a Value {
    let systems = evaluation["report"]["markets"][0]["systems"].as_array().unwrap();
    systems.iter().find(|system| system["system"] == name).unwrap_or_else(|| panic!("{name}: {evaluation}"))
}

fn left_out<'a>(evaluation: &'a Value, name: &str) -> &'a Value {
    let rows = evaluation["left_out"].as_array().unwrap();
    rows.iter().find(|row| row["system"] == name).unwrap_or_else(|| panic!("{name}: {evaluation}"))
}

#[test]
fn later_days_change_no_figure_of_earlier_ones() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| tipoff(folder.path(), args);
    let files = simulated(folder.path());
    known_after("2025-11-12", &files, &folder.path().join("early"));
    fs::create_dir(folder.path().join("cards")).unwrap();
    fs::write(folder.path().join("cards/mean.toml"), CARD).unwrap();
    fs::write(folder.path().join("cards/seen.toml"), seen()).unwrap();
    let window = ["models", "evaluate", "--from", "2025-11-09", "--to", "2025-11-12", "--models", "cards"];
    let points = ["--market", "points"];
    let evaluate = |more: &[&str]| run(&[&window[..], &points[..], more].concat());

    assert!(evaluate(&[]).exit(4).err.contains("there is no warehouse"));
    run(&["ingest", "early", "--json"]).exit(0);
    let said = evaluate(&[]).exit(4);
    assert!(
        said.err.contains("tipoff features build --game-date 2025-11-09 --to 2025-11-12"),
        "{}",
        said.err
    );
    run(&["features", "build", "--game-date", "2025-11-09", "--to", "2025-11-12"]).exit(0);
    let before = json(&evaluate(&["--json"]).exit(0));
    let n = system(&before, "mean_v1")["n"].as_u64().unwrap();
    assert!(n > 100, "{before}");
    assert_eq!(system(&before, "mean_v1")["dates"], 4);
    assert!(system(&before, "consensus_line")["n"].as_u64().unwrap() >= n);
    assert_eq!(
        system(&before, "mean_v1")["errors"],
        system(&before, "last_ten_average")["errors"],
        "the card is the same mean"
    );

    // That date's rows are left out, and counted.
    assert_eq!(system(&before, "seen_v1")["dates"], 3);
    let rows = |name: &str| {
        let row = left_out(&before, name);
        let left_out = ["in_sample", "void", "no_result"].map(|why| row[why].as_u64().unwrap());
        (left_out[0], left_out.iter().sum::<u64>() + system(&before, name)["n"].as_u64().unwrap())
    };
    let ((unseen, all), (seen, all_again)) = (rows("mean_v1"), rows("seen_v1"));
    assert!(unseen == 0 && seen > 20 && all == all_again, "{unseen} {seen} {all} {all_again}");
    // The probability was fitted on two of the four dates.
    let judged = system(&before, "mean_v1")["probability"]["n"].as_u64().unwrap();
    let unjudged = left_out(&before, "mean_v1")["probability_in_sample"].as_u64().unwrap();
    assert!(judged > 0 && unjudged > 0 && judged + unjudged <= n, "{judged} {unjudged} {n}");

    let later = json(&run(&["ingest", "files", "--json"]).exit(0));
    let new: u64 = later["files"].as_array().unwrap().iter().map(|file| file["new"].as_u64().unwrap()).sum();
    assert!(new > 100, "nothing came later: {later}");
    run(&["features", "build", "--game-date", "2025-11-13", "--to", "2025-11-14"]).exit(0);
    assert_eq!(json(&evaluate(&["--json"]).exit(0)), before);

    let said = evaluate(&["--html", "page.html"]).exit(0);
    for part in ["points: error", "mean_v1", "consensus_line *", "IN SAMPLE", "MARGIN 5+"] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    let page = fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(
        page.contains("<svg") && page.contains("prefers-color-scheme: dark") && page.ends_with("</html>\n")
    );
    for foreign in ["http", "<script", "{{", "NaN"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}

#[test]
fn refits_answer_from_their_day_on_and_what_cannot_be_evaluated_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| tipoff(folder.path(), args);
    simulated(folder.path());
    run(&["ingest", "files"]).exit(0);
    run(&["features", "build", "--game-date", "2025-11-10", "--to", "2025-11-12"]).exit(0);
    for (refit, weight) in [("2025-11-10", "1.0"), ("2025-11-12", "0.5")] {
        let card = CARD.replace("points_avg_last_10 = 1.0", &format!("points_avg_last_10 = {weight}"));
        let expected = format!("expected = {:.1}", 20.0 * weight.parse::<f64>().unwrap());
        let path = folder.path().join("refits").join(refit);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("mean.toml"), card.replace("expected = 20.0", &expected)).unwrap();
    }
    let evaluate = |from: &str, to: &str, more: &[&str]| {
        run(&[&["models", "evaluate", "--from", from, "--to", to, "--models", "refits"][..], more].concat())
    };
    let bias = |from: &str, to: &str| {
        let said = json(&evaluate(from, to, &["--json", "--market", "points"]).exit(0));
        system(&said, "mean_v1")["errors"]["bias"]["value"].as_f64().unwrap()
    };
    let (first, second) = (bias("2025-11-10", "2025-11-11"), bias("2025-11-12", "2025-11-12"));
    assert!(second < first - 3.0, "half the mean is far too low: {first} {second}");

    // The 9th is before the first refit, the 13th has no features: said, and exit code 3.
    let said = evaluate("2025-11-09", "2025-11-13", &[]).exit(3);
    assert!(said.out.contains("2 refits answered, the first from 2025-11-10 on"), "{}", said.out);
    assert!(said.out.contains("named early enough for 2025-11-09"), "{}", said.out);
    assert!(said.out.contains("no features for 2025-11-13"), "{}", said.out);

    for (args, code, part) in [
        (["2025-11-12", "2025-11-10"], 2, "is before --from"),
        (["2025-11-08", "2025-11-09"], 4, "no folder of models is named 2025-11-08 or earlier"),
        (["2025-12-24", "2025-12-25"], 4, "no games from 2025-12-24"),
    ] {
        let said = evaluate(args[0], args[1], &[]).exit(code);
        assert!(said.err.contains(part), "{args:?}: {}", said.err);
    }
    let said = evaluate("2025-11-10", "2025-11-10", &["--market", "blocks"]).exit(4);
    assert!(said.err.contains("tipoff models"), "{}", said.err);
}
