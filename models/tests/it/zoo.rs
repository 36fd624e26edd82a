//! The models in the binary load, and answer as they did where they were trained.

use std::collections::BTreeSet;

use jiff::civil::date;
use models::{EngineName, FeatureMatrix, Model, Registry, Target};
use proto::{Market, Role};

const MARKETS: [&str; 4] = ["points", "rebounds", "assists", "threes"];
/// Their opinion is their own: they read no line of the player.
const WITHOUT_LINES: [&str; 5] =
    ["catboost_v2_noveg", "lgbm_v2_noveg", "moving_average_v1", "network_v2_noveg", "xgb_v2_noveg"];

/// Names of the feature contract's features.
fn contract() -> BTreeSet<String> {
    let text = include_str!("../../../rules/features.toml");
    let contract: toml::Table = text.parse().unwrap();
    let features = contract["features"].as_array().unwrap();
    features.iter().map(|feature| feature["name"].as_str().unwrap().to_owned()).collect()
}

fn market(name: &str) -> Market {
    name.parse().unwrap()
}

fn systems_of(zoo: &Registry, name: &str) -> Vec<String> {
    let of_market = zoo.models().iter().filter(|model| model.pin.market == market(name));
    of_market.map(|model| model.pin.system_id.to_string()).collect()
}

/// Answers to the reference vectors, without the line that a model of margins adds.
fn predict_references(model: &Model) -> Vec<f64> {
    let mut rows = FeatureMatrix::with_width(model.card.width());
    model.card.references.iter().for_each(|reference| rows.push_row(&reference.inputs).unwrap());
    let lines = vec![Some(0.0); rows.rows()];
    model.predict(&rows, &lines).unwrap().into_iter().map(Result::unwrap).collect()
}

#[test]
fn every_model_of_the_zoo_loads_and_each_market_has_a_champion() {
    let zoo = Registry::zoo();
    assert_eq!(zoo.refused(), []);
    assert_eq!(zoo.disabled(), []);
    let points = [
        "catboost_v2",
        "catboost_v2_56d",
        "catboost_v2_lowveg",
        "catboost_v2_noveg",
        "catboost_v2_q43",
        "catboost_v2_q50",
        "catboost_v2_q57",
        "catboost_v2_season",
        "lgbm_v2",
        "lgbm_v2_noveg",
        "moving_average_v1",
        "network_v2_noveg",
        "xgb_v2_noveg",
    ];
    assert_eq!(systems_of(&zoo, "points"), points);
    for name in ["rebounds", "assists", "threes"] {
        assert_eq!(
            systems_of(&zoo, name),
            ["catboost_v2", "catboost_v2_lowveg", "moving_average_v1"],
            "{name}"
        );
    }
    for name in MARKETS {
        let champion = zoo.champion(&market(name)).unwrap();
        assert_eq!(champion.pin.system_id.as_str(), "catboost_v2", "{name}");
        assert_eq!(champion.card.target, Target::MarginOverLine, "{name}");
    }
    let champions = zoo.models().iter().filter(|model| model.card.role == Role::Champion).count();
    assert_eq!(champions, MARKETS.len());
}

#[test]
fn trained_models_answer_their_references_trees_to_the_last_bit() {
    for model in Registry::zoo().models() {
        let name = format!("{} for {}", model.pin.system_id, model.pin.market);
        let expected: Vec<f64> = model.card.references.iter().map(|reference| reference.expected).collect();
        let engine = model.card.engine.name();
        if engine != EngineName::Formula {
            let has_gap = |inputs: &[f64]| inputs.iter().any(|value| value.is_nan());
            let with_gaps =
                model.card.references.iter().filter(|reference| has_gap(&reference.inputs)).count();
            assert!(expected.len() >= 8 && with_gaps >= 4, "{name} has too few reference vectors");
            let answers = predict_references(model);
            match engine {
                EngineName::Native => assert_eq!(answers, expected, "{name}"),
                // Sums of f64 in another order than where the references were made.
                _ => assert!(
                    model.largest_deviation().unwrap() < 1e-12,
                    "{name}: {answers:?} for {expected:?}"
                ),
            }
        }
    }
}

#[test]
fn incident_77_the_shipped_models_say_what_they_have_seen() {
    for model in Registry::zoo().models() {
        let name = format!("{} for {}", model.pin.system_id, model.pin.market);
        let is_trained = model.card.engine.name() != EngineName::Formula;
        assert_eq!(model.in_sample(date(2025, 11, 9)), is_trained, "{name}");
        assert!(!model.in_sample(date(2025, 11, 14)), "{name}");
        assert_eq!(model.age_days(date(2025, 11, 14)), is_trained.then_some(5), "{name}");
    }
}

#[test]
fn incident_75_the_shipped_models_read_features_of_the_contract_and_lines_of_their_own_market_only() {
    let contract = contract();
    let opinion =
        ["_consensus_line", "_no_vig_over", "_minus_consensus", "_book_count", "_line_move", "_book_std"];
    for model in Registry::zoo().models() {
        let name = format!("{} for {}", model.pin.system_id, model.pin.market);
        let features = &model.card.features;
        let unknown: Vec<_> = features.iter().filter(|feature| !contract.contains(*feature)).collect();
        assert!(unknown.is_empty(), "{name} reads {unknown:?}");
        let sees = |market: &str| {
            let of_market = |feature: &&String| {
                feature.as_str() == format!("{market}_line")
                    || (market == "points" && feature.as_str() == "vegas_points_line")
                    || opinion.iter().any(|end| feature.as_str() == format!("{market}{end}"))
            };
            features.iter().find(of_market).is_some()
        };
        for market in MARKETS {
            let wanted =
                model.pin.market.as_str() == market && !WITHOUT_LINES.contains(&model.pin.system_id.as_str());
            assert_eq!(sees(market), wanted, "{name} and the lines for {market}");
        }
    }
}
