#![allow(clippy::unwrap_used)] // a test may stop at the first surprise

use proptest::prelude::*;

use super::*;
use crate::contract;

fn full() -> FeatureVector {
    let features = contract().features.iter().map(|_| Feature::real(1.0, FeatureSource::Facts)).collect();
    FeatureVector { contract_version: contract().version.clone(), features }
}

fn with(changes: &[(&str, Feature)]) -> FeatureVector {
    let mut vector = full();
    for (name, feature) in changes {
        vector.features[contract().position(name).unwrap()] = *feature;
    }
    vector
}

fn required_names(n: usize) -> Vec<&'static str> {
    contract().features.iter().filter(|s| s.required).map(|s| s.name.as_str()).take(n).collect()
}

#[test]
fn a_full_vector_is_perfect() {
    let q = of(contract(), &full());
    assert_eq!((q.score, q.matchup, q.required_default_count, q.ready), (100.0, 100.0, 0, true));
    assert_eq!(q.alert, Alert::Green);
    assert_eq!(q.categories.len(), 5);
}

#[test]
fn the_weights_are_the_fields() {
    let n = contract().features.iter().filter(|spec| spec.quality).count() as f64;
    for (source, loss) in [
        (FeatureSource::Facts, 0.0),
        (FeatureSource::Calculated, 0.0),
        (FeatureSource::Odds, 0.0),
        (FeatureSource::OpponentHistory, 10.0),
    ] {
        let q = of(contract(), &with(&[("avg_points_vs_opponent", Feature::real(12.0, source))]));
        assert!((q.score - (100.0 - loss / n)).abs() < 1e-9, "{source}");
    }
}

#[test]
fn what_is_optional_and_missing_is_left_out() {
    let missing: Vec<_> =
        ["vegas_points_line", "vegas_opening_line", "vegas_line_move", "avg_points_vs_opponent"]
            .map(|name| (name, Feature::missing()))
            .to_vec();
    let q = of(contract(), &with(&missing));
    assert_eq!((q.score, q.required_default_count, q.ready), (100.0, 0, true));
    let nan_with_a_source =
        [("avg_points_vs_opponent", Feature::real(f64::NAN, FeatureSource::OpponentHistory))];
    assert_eq!(of(contract(), &with(&nan_with_a_source)).score, 100.0, "NaN is missing, whatever its source");
}

#[test]
fn required_defaults_cap_the_score() {
    for (n, cap) in [(1, 69.0), (4, 69.0), (5, 49.0)] {
        let changes: Vec<_> =
            required_names(n).into_iter().map(|name| (name, Feature::default_of(10.0))).collect();
        let q = of(contract(), &with(&changes));
        assert_eq!((q.score, q.required_default_count, q.ready), (cap, n as u32, false), "{n}");
        let unread = of_read(contract(), &with(&changes), |_| false);
        assert_eq!(unread.required_default_count, 0);
        assert!(unread.score > 85.0, "a default nobody reads only weighs: {}", unread.score);
    }
}

#[test]
fn a_calculated_value_that_fell_back_counts_as_default() {
    let lie = Feature { value: 0.5, source: FeatureSource::Calculated, defaulted: true };
    let q = of(contract(), &with(&[("team_win_pct", lie)]));
    assert_eq!((q.required_default_count, q.score, q.alert), (1, 69.0, Alert::Yellow));
    let other_lie = Feature { value: 0.5, source: FeatureSource::Default, defaulted: false };
    assert_eq!(of(contract(), &with(&[("team_win_pct", other_lie)])).required_default_count, 1);
}

#[test]
fn incident_86_what_is_missing_never_passes() {
    for hole in [
        Feature::missing(),
        Feature::real(f64::NAN, FeatureSource::Facts),
        Feature::real(f64::INFINITY, FeatureSource::Facts),
    ] {
        let q = of(contract(), &with(&[("opponent_pace", hole)]));
        assert_eq!((q.required_default_count, q.matchup, q.ready), (1, 0.0, false));
        assert_eq!(q.alert, Alert::Red);
    }
    let mut short = full();
    short.features.pop();
    let mut other = full();
    other.contract_version = "v0".to_owned();
    for vector in
        [short, other, FeatureVector { contract_version: contract().version.clone(), features: vec![] }]
    {
        let q = of(contract(), &vector);
        assert!(q.score.is_nan() && q.matchup.is_nan() && !q.ready && q.required_default_count > 0);
        assert_eq!(q.alert, Alert::Red);
    }
}

#[test]
fn incident_71_a_real_zero_is_no_default() {
    let zeros: Vec<_> = contract()
        .features
        .iter()
        .map(|spec| (spec.name.as_str(), Feature::real(0.0, FeatureSource::Facts)))
        .collect();
    let q = of(contract(), &with(&zeros));
    assert_eq!((q.score, q.required_default_count, q.ready), (100.0, 0, true));
}

#[test]
fn thresholds_by_run_mode() {
    for (mode, wanted) in [
        ("OVERNIGHT", 85.0),
        ("EARLY", 85.0),
        ("PRE_GAME", 85.0),
        ("FIRST", 85.0),
        ("MORNING", 85.0),
        ("SAME_DAY", 85.0),
        ("RETRY", 85.0),
        ("FINAL_RETRY", 80.0),
        ("LAST_CALL", 70.0),
        ("BACKFILL", 70.0),
        ("LINE_CHECK", 85.0),
        ("LINE_UPDATE", 85.0),
    ] {
        assert_eq!(threshold(mode.parse().unwrap()), wanted, "{mode}");
    }
    assert_eq!(RunMode::ALL.len(), 12);
}

fn any_feature() -> impl Strategy<Value = Feature> {
    let value = prop_oneof![Just(0.0), Just(f64::NAN), Just(-0.0), Just(f64::INFINITY), -50.0..150.0];
    (value, 0..FeatureSource::ALL.len(), any::<bool>()).prop_map(|(value, at, defaulted)| Feature {
        value,
        source: FeatureSource::ALL[at],
        defaulted,
    })
}

proptest! {
    #[test]
    fn incident_71_any_vector_has_a_sane_quality(
        features in proptest::collection::vec(any_feature(), contract().features.len())
    ) {
        let vector = FeatureVector { contract_version: contract().version.clone(), features };
        let q = of(contract(), &vector);
        prop_assert!((0.0..=100.0).contains(&q.score));
        prop_assert!(!q.ready || q.required_default_count == 0);
        prop_assert!(q.required_default_count == 0 || q.score <= CAP_ONE_DEFAULT);
        for (spec, feature) in contract().features.iter().zip(&vector.features) {
            let counted = is_required_default(spec, feature);
            let real = feature.value.is_finite() && !feature.defaulted
                && !matches!(feature.source, FeatureSource::Default | FeatureSource::Missing);
            prop_assert_eq!(counted, spec.required && !real, "zero is a value, only the bits decide");
        }
    }
}
