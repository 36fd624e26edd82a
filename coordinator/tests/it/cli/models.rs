//! `tipoff models` on files as people bring them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::tipoff;

/// A model of six features that CatBoost exported, with rows and what CatBoost answered to them.
fn fixture() -> (PathBuf, serde_json::Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/fixtures");
    let known = std::fs::read_to_string(folder.join("catboost_symmetric.json")).unwrap();
    (folder.join("catboost_symmetric.onnx"), serde_json::from_str(&known).unwrap())
}

const FEATURES: &str = "points_avg_last_5,points_avg_last_10,points_avg_season,points_std_last_10,home_away,games_in_last_7_days";

fn sheet(header: &str, known: &serde_json::Value) -> String {
    let mut sheet = format!("{header}\n");
    for row in known["rows"].as_array().unwrap() {
        // Infinity is a text in the fixture's JSON; a missing value is an empty cell.
        let cell = |value: &serde_json::Value| match value {
            serde_json::Value::Null => String::new(),
            value => value.as_str().map_or_else(|| value.to_string(), str::to_lowercase),
        };
        let cells: Vec<String> = row.as_array().unwrap().iter().map(cell).collect();
        writeln!(sheet, "{}", cells.join(",")).unwrap();
    }
    sheet
}

fn predictions(text: &str) -> Vec<f64> {
    let answer: serde_json::Value = serde_json::from_str(text).unwrap();
    answer["predictions"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

#[test]
fn a_file_is_asked_imported_and_asked_again_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (file, known) = fixture();
    let file = file.to_str().unwrap();
    std::fs::write(folder.path().join("rows.csv"), sheet("a,b,c,d,e,f", &known)).unwrap();
    let alone = tipoff(folder.path(), &["models", "predict", file, "--in", "rows.csv", "--json"]).exit(0);
    let answers = predictions(&alone.out);
    let rows = known["rows"].as_array().unwrap().len();
    assert_eq!(answers.len(), rows);
    let expected: Vec<f64> =
        known["float64"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    for (answer, expected) in answers.iter().zip(&expected) {
        assert!((answer - expected).abs() <= 1e-5 * expected.abs().max(1.0), "{answer} for {expected}");
    }

    let import = ["--models", "zoo", "models", "import", file, "--system", "mine_v1", "--features", FEATURES];
    let window = ["--trained-from", "2023-10-24", "--trained-until", "2025-11-09"];
    let imported = tipoff(folder.path(), &[&import[..], &window[..]].concat()).exit(0);
    assert!(imported.out.contains("8 reference vectors; it is a shadow"), "{}", imported.out);
    let again = tipoff(folder.path(), &[&import[..], &window[..]].concat()).exit(1);
    assert!(again.err.contains("exists"), "an import replaces nothing: {}", again.err);

    // By name the columns may stand in any order, and others beside them.
    let mut swapped = String::new();
    for (at, line) in sheet(FEATURES, &known).lines().enumerate() {
        let (first, rest) = line.split_once(',').unwrap();
        writeln!(swapped, "{},{rest},{first}", if at == 0 { "player" } else { "somebody" }).unwrap();
    }
    std::fs::write(folder.path().join("named.csv"), swapped).unwrap();
    let named = ["--models", "zoo", "models", "predict", "mine_v1", "--in", "named.csv", "--json"];
    assert_eq!(predictions(&tipoff(folder.path(), &named).exit(0).out), answers);
    let shown = tipoff(folder.path(), &["--models", "zoo", "models", "show", "mine_v1"]).exit(0);
    assert!(shown.out.contains("2023-10-24 to 2025-11-09"), "{}", shown.out);
    let verified = tipoff(folder.path(), &["--models", "zoo", "models", "verify", "--json"]).exit(0);
    assert!(
        verified.out.contains("\"mine_v1\"") && verified.out.contains("\"refused\":[]"),
        "{}",
        verified.out
    );
}

#[test]
fn what_cannot_run_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let (file, known) = fixture();
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(folder.path().join("cut.onnx"), &bytes[..bytes.len() / 2]).unwrap();
    std::fs::write(folder.path().join("rows.csv"), sheet("a,b,c,d,e,f", &known)).unwrap();
    std::fs::write(folder.path().join("words.csv"), "a,b,c,d,e,f\n1,2,three,4,5,6\n").unwrap();
    std::fs::write(folder.path().join("narrow.csv"), "a,b\n1,2\n").unwrap();
    let file = file.to_str().unwrap();
    let window = ["--trained-from", "2023-10-24", "--trained-until", "2025-11-09"];
    let import = |file: &str, features: &str| -> Vec<String> {
        let head =
            ["--models", "zoo", "models", "import", file, "--system", "mine_v1", "--features", features];
        head.iter().chain(&window).map(|word| (*word).to_owned()).collect()
    };
    let words = |words: &[&str]| -> Vec<String> { words.iter().map(|word| (*word).to_owned()).collect() };
    for (args, code, part) in [
        (words(&["models", "predict", "cut.onnx", "--in", "rows.csv"]), 1, "cut.onnx"),
        (
            words(&["models", "predict", file, "--in", "words.csv"]),
            1,
            "line 2, column `c`: `three` is not a number",
        ),
        (words(&["models", "predict", file, "--in", "narrow.csv"]), 2, "2 columns, the model takes 6"),
        (words(&["models", "predict", file, "--in", "nowhere.csv"]), 1, "nowhere.csv"),
        (
            words(&["models", "predict", "nobody_v1", "--in", "rows.csv"]),
            4,
            "no model `nobody_v1` for points",
        ),
        (
            words(&["models", "predict", "moving_average_v1", "--in", "rows.csv"]),
            2,
            "no column `points_avg_last_5`",
        ),
        (words(&["models", "show", file]), 2, "without a card"),
        (import("cut.onnx", FEATURES), 1, "cut.onnx"),
        (import(file, "points_avg_last_5"), 1, "feature"),
        (import(file, "shoe_size"), 2, "no feature `shoe_size`"),
    ] {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let said = tipoff(folder.path(), &args);
        assert_eq!(said.code, code, "{args:?}: {said:?}");
        assert!(said.err.contains(part), "{args:?}: {said:?}");
    }
    assert!(!folder.path().join("zoo").exists(), "a refused import leaves nothing behind");
}
