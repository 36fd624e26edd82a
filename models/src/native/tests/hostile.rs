//! Hostile files and what people read about them: one line a file, so that a worse sentence shows as a difference.

use std::fmt::Write;

use prost::Message;

use super::formats::CATBOOST;
use super::*;
use crate::native::Options;

/// The stump after a change, as a file.
fn stump_with(change: impl FnOnce(&mut ModelProto)) -> Vec<u8> {
    let mut model = stump();
    change(&mut model);
    model.encode_to_vec()
}

fn catboost_with(from: &str, to: &str) -> Vec<u8> {
    assert!(CATBOOST.contains(from), "{from}");
    CATBOOST.replacen(from, to, 1).into_bytes()
}

/// CatBoost's JSON with trees of any shape instead of symmetric ones.
fn free_tree(tree: &str) -> Vec<u8> {
    let (before, rest) = CATBOOST.split_once(r#""oblivious_trees""#).unwrap();
    let (_, after) = rest.split_once(r#""scale_and_bias""#).unwrap();
    format!(r#"{before}"trees": [{tree}], "scale_and_bias"{after}"#).into_bytes()
}

#[test]
fn a_hostile_file_is_refused_with_a_sentence_that_names_the_place() {
    let whole = stump().encode_to_vec();
    let leaf = |value: &str| free_tree(&format!(r#"{{"value": {value}}}"#));
    let split = r#"{"border": 1.5, "float_feature_index": 0, "split_type": "FloatFeature"}"#;
    let deep = |levels: usize| {
        let branch = format!(r#"{{"split": {split}, "right": {{"value": 1}}, "left": "#);
        free_tree(&format!("{}{{\"value\": 1}}{}", branch.repeat(levels), "}".repeat(levels)))
    };
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("cut in the middle", whole[..whole.len() / 2].to_vec()),
        ("a web page", b"<html><body>502 Bad Gateway</body></html>".to_vec()),
        ("noise", (0..997_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()),
        ("above 64 MiB", vec![0; MAX_MODEL_BYTES + 1]),
        ("a graph in a circle", stump_with(|model| graph(model).node[0].input[0] = "points".to_owned())),
        (
            "a tree in a circle",
            stump_with(|model| {
                wire(
                    model,
                    &["BRANCH_LEQ", "BRANCH_LEQ", "LEAF", "LEAF"],
                    &[1, 0, 0, 0],
                    &[2, 3, 0, 0],
                    &[2, 3],
                );
            }),
        ),
        (
            "a node with two parents",
            stump_with(|model| set(model, integers("nodes_falsenodeids", &[1, 0, 0]))),
        ),
        (
            "other features than the card",
            stump_with(|model| graph(model).input[0] = value("features", FLOAT, Some(&[-1, 3]))),
        ),
        (
            "a feature beyond the last",
            stump_with(|model| set(model, integers("nodes_featureids", &[2, 0, 0]))),
        ),
        ("a leaf that is NaN", stump_with(|model| set(model, reals("target_weights", &[1.5, f32::NAN])))),
        ("an infinite leaf", stump_with(|model| set(model, reals("target_weights", &[1.5, f32::INFINITY])))),
        ("an infinite base", stump_with(|model| set(model, reals("base_values", &[f32::NEG_INFINITY])))),
        (
            "a threshold that is NaN",
            stump_with(|model| set(model, reals("nodes_values", &[f32::NAN, 0.0, 0.0]))),
        ),
        (
            "an unknown mode",
            stump_with(|model| set(model, strings("nodes_modes", &["BRANCH_LIKE", "LEAF", "LEAF"]))),
        ),
        ("another operator", stump_with(|model| graph(model).node[0].op_type = "SVMRegressor".to_owned())),
        ("CatBoost, cut in the middle", CATBOOST.as_bytes()[..CATBOOST.len() / 2].to_vec()),
        ("CatBoost, a leaf that is NaN", catboost_with("0.7]", "NaN]")),
        ("CatBoost, an infinite leaf", catboost_with("0.7]", "1e400]")),
        ("CatBoost, an infinite bias", catboost_with("[8.25]", "[1e400]")),
        ("CatBoost, too many biases", catboost_with("[8.25]", &format!("[{}0]", "0,".repeat(64)))),
        ("CatBoost, a leaf too many", catboost_with("0.7]", "0.7, 1]")),
        (
            "CatBoost, 17 levels",
            catboost_with(r#""splits": ["#, &format!(r#""splits": [{}"#, format!("{split},").repeat(15))),
        ),
        (
            "CatBoost, an unlisted feature",
            catboost_with(r#""float_feature_index": 1"#, r#""float_feature_index": 7"#),
        ),
        (
            "CatBoost, a feature far beyond",
            catboost_with(r#""flat_feature_index": 1"#, r#""flat_feature_index": 9223372036854775807"#),
        ),
        ("CatBoost, a question about words", catboost_with(r#""FloatFeature"},"#, r#""OneHotFeature"},"#)),
        ("CatBoost, a node of nothing", free_tree("{}")),
        (
            "CatBoost, a branch without a child",
            free_tree(&format!(r#"{{"split": {split}, "left": {{"value": 1}}}}"#)),
        ),
        ("CatBoost, a leaf of two numbers", leaf("[1, 2]")),
        ("CatBoost, a leaf of words", leaf("\"many\"")),
        ("CatBoost, a tree 10,000 deep", deep(10_000)),
        ("CatBoost, no trees", free_tree("")),
        ("JSON of something else", br#"{"version": 1}"#.to_vec()),
    ];
    let mut said = String::new();
    let options = Options { width: Some(2), ..Options::default() };
    for (what, bytes) in cases {
        let refusal = NativeEngine::open(&bytes, &options).err();
        writeln!(said, "{what}\n    {}", refusal.unwrap_or_else(|| panic!("{what} was taken for a model")))
            .unwrap();
    }
    insta::assert_snapshot!(said);
    // What is refused for its size alone is read when somebody says so.
    let most = Options { most_bytes: whole.len() - 1, ..options };
    assert!(NativeEngine::open(&whole, &most).is_err());
    assert!(NativeEngine::open(&whole, &options).is_ok());
    assert!(NativeEngine::open(&deep(50), &options).is_ok(), "fifty levels are a model");
}
