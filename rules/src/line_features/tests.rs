//! Quotes in, line features out: newest and opening lines, the books' median and their probability.

#![allow(clippy::unwrap_used)] // a test may stop at the first surprise
use super::*;
use crate::contract;
use crate::gate::samples::vector;
use crate::lines::samples::{AS_OF, TIP, at, quote};

const NAMES: [&str; 6] = [
    "vegas_points_line",
    "vegas_opening_line",
    "vegas_line_move",
    "has_vegas_line",
    "multi_book_line_std",
    "line_vs_season_avg",
];

/// A value of its own; none when it is missing or a default.
fn value_of(contract: &FeatureContract, vector: &FeatureVector, name: &str) -> Option<f64> {
    let feature = vector.features[contract.position(name).unwrap()];
    (!feature.defaulted && feature.value.is_finite()).then_some(feature.value)
}

fn features(quotes: &[Quote]) -> [Option<f64>; 6] {
    let mut v = vector(&[("points_avg_season", Feature::real(20.0, FeatureSource::Facts))]);
    apply(contract(), &mut v, quotes, at(AS_OF));
    NAMES.map(|name| value_of(contract(), &v, name))
}

fn seen(text: &str, quote: Quote) -> Quote {
    Quote { snapshot_at: Some(at(text)), market_updated_at: None, ..quote }
}

#[test]
fn newest_and_opening_of_the_preferred_book() {
    let quotes = [
        seen("2026-01-23T15:00:00Z", quote("fanduel", "22.5", "-110", "-110")),
        seen("2026-01-23T17:00:00Z", quote("draftkings", "23.5", "-110", "-110")),
        seen("2026-01-23T22:00:00Z", quote("draftkings", "25.0", "-110", "-110")),
        seen("2026-01-23T23:00:00Z", quote("fanduel", "26.0", "-110", "-110")),
    ];
    let wanted = [Some(25.0), Some(23.5), Some(1.5), Some(1.0), Some(0.5), Some(5.0)];
    assert_eq!(features(&quotes), wanted);
    let mut turned = quotes;
    turned.reverse();
    assert_eq!(features(&turned), wanted, "the order of quotes does not matter");
}

#[test]
fn without_a_quote_all_but_the_flag_are_missing() {
    assert_eq!(features(&[]), [None, None, None, Some(0.0), None, None]);
    let mut v = vector(&[]);
    apply(contract(), &mut v, &[], at(AS_OF));
    for name in NAMES {
        let feature = v.features[contract().position(name).unwrap()];
        assert_eq!(feature.source == FeatureSource::Missing, name != "has_vegas_line", "{name}");
        assert!(!feature.defaulted);
    }
}

#[test]
fn incident_57_what_is_seen_later_changes_nothing() {
    let known = quote("draftkings", "23.5", "-110", "-110");
    let before = features(std::slice::from_ref(&known));
    for later in [AS_OF, TIP, "2026-01-24T01:00:00Z"] {
        let leak = seen(later, quote("draftkings", "40.5", "-110", "-110"));
        let changed_later =
            Quote { market_updated_at: Some(at(later)), ..quote("fanduel", "40.5", "-110", "-110") };
        assert_eq!(features(&[known.clone(), leak, changed_later]), before, "{later}");
    }
}

#[test]
fn one_book_or_bovada_makes_no_spread() {
    let dk = quote("draftkings", "23.5", "-110", "-110");
    assert_eq!(features(std::slice::from_ref(&dk))[4], None);
    assert_eq!(features(&[dk.clone(), quote("bovada", "29.5", "-110", "-110")])[4], None);
    assert_eq!(features(&[dk, quote("betmgm", "24.5", "-110", "-110")])[4], Some(0.5));
}

#[test]
fn what_is_no_main_points_quote_is_left_out() {
    for odd in [
        Quote { is_main: false, ..quote("draftkings", "23.5", "-110", "-110") },
        Quote { market: "rebounds".parse().unwrap(), ..quote("draftkings", "23.5", "-110", "-110") },
        Quote { event_id: None, ..quote("draftkings", "23.5", "-110", "-110") },
        Quote { snapshot_at: None, ..quote("draftkings", "23.5", "-110", "-110") },
        Quote { book: None, ..quote("draftkings", "23.5", "-110", "-110") },
    ] {
        assert_eq!(features(&[odd])[3], Some(0.0));
    }
}

#[test]
fn a_season_average_that_is_a_default_gives_no_difference() {
    let mut v = vector(&[("points_avg_season", Feature::default_of(10.0))]);
    apply(contract(), &mut v, &[quote("draftkings", "23.5", "-110", "-110")], at(AS_OF));
    assert_eq!(value_of(contract(), &v, "line_vs_season_avg"), None);
    assert_eq!(value_of(contract(), &v, "vegas_points_line"), Some(23.5));
}

fn of_market(market: &str, quotes: &[Quote]) -> Vec<Option<f64>> {
    let quotes: Vec<Quote> =
        quotes.iter().map(|q| Quote { market: market.parse().unwrap(), ..q.clone() }).collect();
    let season = format!("{market}_avg_season");
    let mut v = vector(&[(season.as_str(), Feature::real(20.0, FeatureSource::Facts))]);
    apply(contract(), &mut v, &quotes, at(AS_OF));
    ["consensus_line", "no_vig_over", "line_minus_consensus", "book_count", "line_move"]
        .iter()
        .map(|what| value_of(contract(), &v, &format!("{market}_{what}")))
        .collect()
}

#[test]
fn the_markets_own_opinion_is_the_same_for_every_market() {
    let quotes = [
        seen("2026-01-23T15:00:00Z", quote("fanduel", "7.5", "-110", "-110")),
        seen("2026-01-23T22:00:00Z", quote("fanduel", "8.5", "-120", "100")),
        seen("2026-01-23T17:00:00Z", quote("draftkings", "9.5", "-110", "-110")),
        seen("2026-01-23T22:00:00Z", quote("betmgm", "8.0", "-105", "")),
        seen("2026-01-23T22:00:00Z", quote("bovada", "11.5", "200", "-300")),
    ];
    // Newest 8.5, 9.5 and 8.0, opening 7.5, 9.5 and 8.0; betmgm has one price and no probability.
    let fanduel = (120.0 / 220.0) / (120.0 / 220.0 + 0.5);
    let wanted = [Some(8.5), Some((0.5 + fanduel) / 2.0), Some(1.0), Some(3.0), Some(0.5)];
    for market in ["points", "rebounds", "assists", "threes"] {
        assert_eq!(of_market(market, &quotes), wanted, "{market}");
        assert_eq!(of_market(market, &quotes[4..]), [None; 5], "{market}: bovada is no opinion");
    }
}

#[test]
fn incident_58_the_line_of_one_market_is_never_that_of_another() {
    let rebounds =
        Quote { market: "rebounds".parse().unwrap(), ..quote("draftkings", "7.5", "-110", "-110") };
    let mut v = vector(&[("rebounds_avg_season", Feature::real(6.0, FeatureSource::Facts))]);
    apply(contract(), &mut v, &[rebounds, quote("draftkings", "23.5", "-110", "-110")], at(AS_OF));
    for (name, wanted) in [
        ("rebounds_line", Some(7.5)),
        ("rebounds_line_vs_season_avg", Some(1.5)),
        ("vegas_points_line", Some(23.5)),
        ("assists_line", None),
        ("assists_book_count", None),
    ] {
        assert_eq!(value_of(contract(), &v, name), wanted, "{name}");
    }
}

#[test]
fn the_line_is_compared_with_that_of_his_last_game() {
    let quotes = [quote("draftkings", "23.5", "-110", "-110"), quote("fanduel", "24.5", "-110", "-110")];
    let delta = |previous: Feature, quotes: &[Quote]| {
        let mut v = vector(&[("points_previous_line", previous)]);
        apply(contract(), &mut v, quotes, at(AS_OF));
        value_of(contract(), &v, "prop_line_delta")
    };
    let previous = Feature::real(22.5, FeatureSource::Odds);
    assert_eq!(delta(previous, &quotes), Some(1.5));
    assert_eq!(delta(Feature::missing(), &quotes), None);
    assert_eq!(delta(previous, &[]), None);
}

#[test]
fn an_implausible_line_is_missing_and_so_is_what_follows_from_it() {
    assert_eq!(
        features(&[quote("draftkings", "95.5", "-110", "-110")]),
        [None, None, None, Some(0.0), None, None]
    );
}

#[test]
fn lines_by_book_are_chosen_as_quotes_are() {
    let books = |list: &[(&str, i32)]| list.iter().map(|(b, half)| ((*b).to_owned(), *half)).collect();
    let all = books(&[("zebra", 41), ("bovada", 50), ("fanduel", 43)]);
    assert_eq!((preferred_line(&all), consensus_line(&all)), (Some(21.5), Some(21.0)));
    let bovada = books(&[("bovada", 50)]);
    assert_eq!((preferred_line(&bovada), consensus_line(&bovada)), (Some(25.0), None));
    assert_eq!((preferred_line(&books(&[])), consensus_line(&books(&[]))), (None, None));
}
