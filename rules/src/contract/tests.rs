//! The contract against the field's table, typed a second time: an edit of one side alone fails.

use std::collections::{BTreeMap, BTreeSet};

use proto::features::FeatureCategory::{self, *};

use super::*;

type Fact = (u16, &'static str, FeatureCategory, Option<f64>, f64, f64);

/// Features of v1 that a system which reads them cannot do without.
const REQUIRED: &[Fact] = &[
    (0, "points_avg_last_5", PlayerHistory, Some(10.0), 0.0, 70.0),
    (1, "points_avg_last_10", PlayerHistory, Some(10.0), 0.0, 70.0),
    (2, "points_avg_season", PlayerHistory, Some(10.0), 0.0, 70.0),
    (3, "points_std_last_10", PlayerHistory, Some(5.0), 0.0, 30.0),
    // The field says 4, which no schedule promises; seven days hold seven games.
    (4, "games_in_last_7_days", PlayerHistory, Some(3.0), 0.0, 7.0),
    (14, "opponent_pace", Matchup, Some(100.0), 90.0, 115.0),
    (15, "home_away", GameContext, Some(0.0), 0.0, 1.0),
    (16, "back_to_back", GameContext, Some(0.0), 0.0, 1.0),
    (17, "playoff_game", GameContext, Some(0.0), 0.0, 1.0),
    (22, "team_pace", TeamContext, Some(100.0), 90.0, 115.0),
    (23, "team_off_rating", TeamContext, Some(112.0), 90.0, 130.0),
    (24, "team_win_pct", TeamContext, Some(0.5), 0.0, 1.0),
    (28, "has_vegas_line", Vegas, Some(0.0), 0.0, 1.0),
    (30, "games_vs_opponent", PlayerHistory, Some(0.0), 0.0, 100.0),
    (31, "minutes_avg_last_10", PlayerHistory, Some(28.0), 0.0, 48.0),
    (32, "ppm_avg_last_10", PlayerHistory, Some(0.4), 0.0, 1.5),
];
/// Features of v1 that enter as NaN.
const OPTIONAL: &[Fact] = &[
    (25, "vegas_points_line", Vegas, None, 0.0, 80.0),
    (26, "vegas_opening_line", Vegas, None, 0.0, 80.0),
    (27, "vegas_line_move", Vegas, None, -15.0, 15.0),
    (29, "avg_points_vs_opponent", PlayerHistory, None, 0.0, 70.0),
    (38, "game_total_line", GameContext, None, 180.0, 280.0),
    (39, "days_rest", GameContext, None, 0.0, 10.0),
    (41, "spread_magnitude", GameContext, None, 0.0, 25.0),
    (42, "implied_team_total", GameContext, None, 90.0, 140.0),
    (43, "points_avg_last_3", PlayerHistory, None, 0.0, 70.0),
    (44, "scoring_trend_slope", PlayerHistory, None, -5.0, 5.0),
    (45, "deviation_from_avg_last3", PlayerHistory, None, -4.0, 4.0),
    (46, "consecutive_games_below_avg", PlayerHistory, None, 0.0, 20.0),
    (50, "multi_book_line_std", GameContext, None, 0.0, 5.0),
    (53, "line_vs_season_avg", GameContext, None, -30.0, 30.0),
    (57, "blowout_minutes_risk", TeamContext, None, 0.0, 1.0),
    (58, "minutes_volatility_last_10", PlayerHistory, None, 0.0, 20.0),
    (59, "opponent_pace_mismatch", GameContext, None, -20.0, 20.0),
];
/// Features of the sixty that v2 added and that nobody who reads them can do without.
const ADDED_REQUIRED: &[Fact] = &[
    (5, "fatigue_score", Matchup, Some(50.0), 0.0, 100.0),
    (7, "pace_score", Matchup, Some(0.0), -8.0, 8.0),
    (9, "rest_advantage", GameContext, Some(0.0), -3.0, 3.0),
    (13, "opponent_def_rating", Matchup, Some(112.0), 90.0, 130.0),
];
/// Features of the sixty that v2 added as optional ones: they are missing for whoever has played little.
const ADDED_OPTIONAL: &[Fact] = &[
    (10, "injury_risk", GameContext, None, 0.0, 3.0),
    (11, "recent_trend", GameContext, None, -2.0, 2.0),
    (12, "minutes_change", GameContext, None, -2.0, 2.0),
    (20, "pct_three", GameContext, None, 0.0, 1.0),
    (21, "pct_free_throw", GameContext, None, 0.0, 0.5),
    (33, "dnp_rate", PlayerHistory, None, 0.0, 1.0),
    (34, "pts_slope_10g", PlayerHistory, None, -5.0, 5.0),
    (35, "pts_vs_season_zscore", PlayerHistory, None, -4.0, 4.0),
    (36, "breakout_flag", PlayerHistory, None, 0.0, 1.0),
    (37, "star_teammates_out", GameContext, None, 0.0, 5.0),
    (40, "minutes_load_last_7d", GameContext, None, 0.0, 250.0),
    (47, "teammate_usage_available", GameContext, None, 0.0, 100.0),
    (48, "usage_rate_last_5", PlayerHistory, None, 0.0, 40.0),
    (49, "games_since_structural_change", PlayerHistory, None, 0.0, 60.0),
    (51, "prop_over_streak", GameContext, None, 0.0, 20.0),
    (52, "prop_under_streak", GameContext, None, 0.0, 20.0),
    (54, "prop_line_delta", PlayerHistory, None, -20.0, 20.0),
    (55, "over_rate_last_10", PlayerHistory, None, 0.0, 1.0),
    (56, "margin_vs_line_avg_last_5", PlayerHistory, None, -25.0, 25.0),
];
/// Features of the sixty that no source allows.
const ABSENT: &[u16] = &[6, 8, 18, 19];
/// From here on the numbering is our own.
const FIRST_OWN: u16 = 64;

#[test]
fn the_contract_says_what_the_fields_table_says() {
    assert_eq!(contract().version, "v2");
    let found: BTreeSet<String> = contract()
        .features
        .iter()
        .filter(|f| f.index < FIRST_OWN)
        .map(|f| format!("{:?}", (f.index, f.name.as_str(), f.category, f.default, f.min, f.max, f.required)))
        .collect();
    let wanted: BTreeSet<String> =
        [(REQUIRED, true), (OPTIONAL, false), (ADDED_REQUIRED, true), (ADDED_OPTIONAL, false)]
            .iter()
            .flat_map(|(facts, required)| facts.iter().map(move |f| (f, *required)))
            .map(|((i, n, c, d, lo, hi), required)| format!("{:?}", (i, n, c, d, lo, hi, required)))
            .collect();
    assert_eq!(found, wanted);
}

#[test]
fn all_sixty_are_there_or_their_absence_has_a_reason() {
    let there = contract().features.iter().map(|f| f.index).filter(|i| *i < 60);
    let absent = contract().absent.iter().map(|f| f.index).filter(|i| *i < 60);
    let all: Vec<u16> = there.chain(absent).collect::<BTreeSet<_>>().into_iter().collect();
    assert_eq!(all, (0..60).collect::<Vec<_>>());
    let absent: Vec<u16> = contract().absent.iter().map(|f| f.index).collect();
    assert_eq!(absent, [ABSENT, &[60, 61, 62, 63]].concat());
    assert!(contract().absent.iter().all(|f| f.why.len() > 20 && contract().position(&f.name).is_none()));
}

#[test]
fn the_first_features_are_those_of_v1_in_their_order() {
    let facts = REQUIRED.iter().chain(OPTIONAL);
    let v1: BTreeMap<u16, &str> = facts.map(|(index, name, ..)| (*index, *name)).collect();
    let (old, new) = contract().features.split_at(v1.len());
    let old: Vec<(u16, &str)> = old.iter().map(|f| (f.index, f.name.as_str())).collect();
    assert_eq!(old, v1.into_iter().collect::<Vec<_>>());
    assert!(new.is_sorted_by(|a, b| a.index < b.index), "what is new is appended in its order");
}

#[test]
fn names_are_unique_and_every_entry_is_whole() {
    let mut indices = BTreeSet::new();
    for (at, spec) in contract().features.iter().enumerate() {
        let name = &spec.name;
        assert_eq!(contract().position(name), Some(at), "{name}");
        assert!(indices.insert(spec.index), "{name}: {} is taken", spec.index);
        assert_eq!(spec.required, spec.default.is_some(), "{name}: only what is required has a default");
        assert!(spec.min < spec.max && !spec.meaning.is_empty(), "{name}");
        assert!(spec.default.is_none_or(|d| spec.is_plausible(d)), "{name}");
        assert!(!spec.is_plausible(f64::NAN) && !spec.is_plausible(spec.max + 0.1), "{name}");
        assert!(spec.std_floor.is_none_or(|floor| floor > 0.0), "{name}");
    }
}

#[test]
fn what_v2_added_does_not_weigh() {
    let v1: BTreeSet<u16> = REQUIRED.iter().chain(OPTIONAL).map(|f| f.0).collect();
    let weighs: Vec<u16> = contract().features.iter().filter(|f| f.quality).map(|f| f.index).collect();
    assert_eq!(weighs, v1.into_iter().collect::<Vec<_>>(), "scores and floors are those of v1");
}

#[test]
fn every_market_has_the_same_features() {
    let history = ["avg_last_5", "avg_last_10", "avg_season", "std_last_10", "per_minute_last_10"];
    let market = ["consensus_line", "no_vig_over", "line_minus_consensus", "book_count", "line_move"];
    let mut names: BTreeSet<String> = BTreeSet::new();
    for stat in ["points", "rebounds", "assists", "threes"] {
        names.extend(market.map(|what| format!("{stat}_{what}")));
        names.insert(format!("opponent_{stat}_allowed_last_10"));
        if stat != "points" {
            let more = ["avg_vs_opponent", "line", "line_vs_season_avg", "book_std"];
            names.extend(history.iter().chain(&more).map(|what| format!("{stat}_{what}")));
        }
    }
    names.insert("points_previous_line".to_owned());
    let own: BTreeSet<String> =
        contract().features.iter().filter(|f| f.index >= FIRST_OWN).map(|f| f.name.clone()).collect();
    assert_eq!(own, names);
    assert!(contract().features.iter().all(|f| f.index < FIRST_OWN || !f.required));
}
