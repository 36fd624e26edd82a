//! The models in the binary load, and answer as they did where they were trained.

use jiff::civil::date;
use models::{EngineKind, FeatureMatrix, Model, Registry};
use proto::{Market, Role};

/// What the shipped models may read: features 0-4, 14-17, 22-32, 38, 39, 41-46, 50, 53, 57-59 of the contract.
const AVAILABLE: [&str; 33] = [
    "points_avg_last_5",
    "points_avg_last_10",
    "points_avg_season",
    "points_std_last_10",
    "games_in_last_7_days",
    "opponent_pace",
    "home_away",
    "back_to_back",
    "playoff_game",
    "team_pace",
    "team_off_rating",
    "team_win_pct",
    "vegas_points_line",
    "vegas_opening_line",
    "vegas_line_move",
    "has_vegas_line",
    "avg_points_vs_opponent",
    "games_vs_opponent",
    "minutes_avg_last_10",
    "ppm_avg_last_10",
    "game_total_line",
    "days_rest",
    "spread_magnitude",
    "implied_team_total",
    "points_avg_last_3",
    "scoring_trend_slope",
    "deviation_from_avg_last3",
    "consecutive_games_below_avg",
    "multi_book_line_std",
    "line_vs_season_avg",
    "blowout_minutes_risk",
    "minutes_volatility_last_10",
    "opponent_pace_mismatch",
];

fn model<'a>(zoo: &'a Registry, name: &str) -> &'a Model {
    zoo.by_system(&name.parse().unwrap(), &Market::points()).unwrap()
}

fn predict_references(model: &Model) -> Vec<f64> {
    let mut rows = FeatureMatrix::with_width(model.card.width());
    model.card.references.iter().for_each(|reference| rows.push_row(&reference.inputs).unwrap());
    let lines = vec![None; rows.rows()];
    model.predict(&rows, &lines).unwrap().into_iter().map(Result::unwrap).collect()
}

#[test]
fn every_model_of_the_zoo_loads_and_one_is_the_champion() {
    let zoo = Registry::zoo();
    assert_eq!(zoo.refused(), []);
    assert_eq!(zoo.disabled(), []);
    let names: Vec<_> = zoo.models().iter().map(|model| model.pin.system_id.to_string()).collect();
    assert_eq!(names, ["catboost_v1", "catboost_v1_noveg", "moving_average_v1"]);
    assert_eq!(zoo.champion(&Market::points()).unwrap().pin.system_id.as_str(), "catboost_v1");
    let shadows = zoo.models().iter().filter(|model| model.card.role == Role::Shadow).count();
    assert_eq!(shadows, 2);
}

#[test]
fn trained_models_answer_their_references_to_the_last_bit() {
    let zoo = Registry::zoo();
    for name in ["catboost_v1", "catboost_v1_noveg"] {
        let model = model(&zoo, name);
        assert!(model.card.references.len() >= 8, "{name} has too few reference vectors");
        let with_gaps = model
            .card
            .references
            .iter()
            .filter(|reference| reference.inputs.iter().any(|value| value.is_nan()));
        assert!(with_gaps.count() >= 4, "{name} has no reference vectors with missing values");
        let expected: Vec<f64> = model.card.references.iter().map(|reference| reference.expected).collect();
        assert_eq!(predict_references(model), expected, "{name}");
    }
}

#[test]
fn incident_77_the_shipped_models_say_what_they_have_seen() {
    let zoo = Registry::zoo();
    for model in zoo.models() {
        let is_trained = matches!(model.card.engine, EngineKind::Native { .. });
        assert_eq!(model.in_sample(date(2025, 11, 9)), is_trained, "{}", model.pin.system_id);
        assert!(!model.in_sample(date(2025, 11, 14)), "{}", model.pin.system_id);
        assert_eq!(model.age_days(date(2025, 11, 14)), is_trained.then_some(5), "{}", model.pin.system_id);
    }
}

#[test]
fn incident_75_the_shipped_models_read_available_features_and_say_whether_they_see_the_line() {
    let zoo = Registry::zoo();
    let of_the_line =
        |name: &str| name.contains("vegas") || name.contains("_line_std") || name == "line_vs_season_avg";
    for model in zoo.models() {
        let unknown: Vec<_> =
            model.card.features.iter().filter(|name| !AVAILABLE.contains(&name.as_str())).collect();
        assert!(unknown.is_empty(), "{} reads {unknown:?}", model.pin.system_id);
        let sees_the_line = model.card.features.iter().any(|name| of_the_line(name));
        assert_eq!(sees_the_line, model.pin.system_id.as_str() == "catboost_v1");
    }
    assert_eq!(model(&zoo, "catboost_v1").card.width(), 33);
    assert_eq!(model(&zoo, "catboost_v1_noveg").card.width(), 27);
}
