//! The feature contract this build serves, read once from `features.toml`, which is compiled in.

use std::sync::LazyLock;

use proto::features::FeatureContract;

static CONTRACT: LazyLock<FeatureContract> = LazyLock::new(|| {
    toml::from_str(include_str!("../features.toml"))
        .expect("features.toml is compiled in and parsed by a test")
});

/// The contract of this build, version `v1`.
pub fn contract() -> &'static FeatureContract {
    &CONTRACT
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proto::features::FeatureCategory::{self, *};

    use super::*;

    type Fact = (u16, &'static str, FeatureCategory, Option<f64>, f64, f64);

    /// The field's table, typed a second time: an edit of one side alone fails. Required ones have a default.
    const REQUIRED: &[Fact] = &[
        (0, "points_avg_last_5", PlayerHistory, Some(10.0), 0.0, 70.0),
        (1, "points_avg_last_10", PlayerHistory, Some(10.0), 0.0, 70.0),
        (2, "points_avg_season", PlayerHistory, Some(10.0), 0.0, 70.0),
        (3, "points_std_last_10", PlayerHistory, Some(5.0), 0.0, 30.0),
        (4, "games_in_last_7_days", PlayerHistory, Some(3.0), 0.0, 4.0),
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

    #[test]
    fn the_contract_says_what_the_fields_table_says() {
        assert_eq!(contract().version, "v1");
        let found: BTreeSet<String> = contract()
            .features
            .iter()
            .map(|f| {
                format!("{:?}", (f.index, f.name.as_str(), f.category, f.default, f.min, f.max, f.required))
            })
            .collect();
        let wanted: BTreeSet<String> = [(REQUIRED, true), (OPTIONAL, false)]
            .iter()
            .flat_map(|(facts, required)| facts.iter().map(move |f| (f, *required)))
            .map(|((i, n, c, d, lo, hi), required)| format!("{:?}", (i, n, c, d, lo, hi, required)))
            .collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn the_order_is_the_numbering_and_names_are_unique() {
        let features = &contract().features;
        assert_eq!(features.len(), REQUIRED.len() + OPTIONAL.len());
        assert!(features.is_sorted_by(|a, b| a.index < b.index));
        for (at, spec) in features.iter().enumerate() {
            assert_eq!(contract().position(&spec.name), Some(at), "{}", spec.name);
            assert_eq!(
                spec.required,
                spec.default.is_some(),
                "{}: only what is required has a default",
                spec.name
            );
            assert!(spec.min < spec.max && !spec.meaning.is_empty(), "{}", spec.name);
            assert!(spec.default.is_none_or(|d| (spec.min..=spec.max).contains(&d)), "{}", spec.name);
        }
    }
}
