//! What the models see of the market: features 25 to 28, 50 and 53, from given quotes.
//!
//! Feature build and `/start` call this one function, so that a model is served what it was trained on (incident 75).
//! Give it every snapshot that is known before the as-of: the opening line is the *earliest* of them. A quote at or
//! after the as-of is not looked at, whoever passes it (57: in-play lines leaked into 266 player-games). Books and
//! their order are part of the contract's meaning and therefore constants here, not configuration.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proto::features::FeatureContract;
use proto::{Feature, FeatureSource, FeatureVector, Market, Quote};

use crate::lines::choose::spread_points;
use crate::lines::policy::{BOOK_RANK, NOT_IN_CONSENSUS};

/// Sets the line-derived features of a vector from the quotes of the points market; other markets, alternates and
/// placeholders are left out. Without a quote 25, 26, 27, 50 and 53 are missing and 28 is 0.
pub fn apply(contract: &FeatureContract, vector: &mut FeatureVector, quotes: &[Quote], as_of: Timestamp) {
    let lines = LinesOfBooks::of(quotes, as_of);
    let preferred = lines.preferred();
    let current = preferred.map(|line| line.newest);
    let opening = preferred.map(|line| line.earliest);
    let moved = preferred.map(|line| line.newest - line.earliest);
    let season = value_of(contract, vector, "points_avg_season");
    let versus_season = current.zip(season).map(|(line, season)| line - season);
    let has_line = Some(if current.is_some() { 1.0 } else { 0.0 });

    set(contract, vector, "vegas_points_line", current, FeatureSource::Odds);
    set(contract, vector, "vegas_opening_line", opening, FeatureSource::Odds);
    set(contract, vector, "vegas_line_move", moved, FeatureSource::Calculated);
    set(contract, vector, "has_vegas_line", has_line, FeatureSource::Calculated);
    set(contract, vector, "multi_book_line_std", lines.spread(), FeatureSource::Odds);
    set(contract, vector, "line_vs_season_avg", versus_season, FeatureSource::Calculated);
}

/// Earliest and newest main line of one book, in points.
#[derive(Clone, Copy)]
struct BookLine {
    earliest: f64,
    newest: f64,
}

struct LinesOfBooks<'a>(BTreeMap<&'a str, Vec<(Timestamp, i32)>>);

impl<'a> LinesOfBooks<'a> {
    fn of(quotes: &'a [Quote], as_of: Timestamp) -> Self {
        let points = Market::points();
        let mut books: BTreeMap<&str, Vec<(Timestamp, i32)>> = BTreeMap::new();
        for quote in quotes.iter().filter(|q| q.is_main && q.market == points && q.event_id.is_some()) {
            let (Some(book), Some(seen)) = (quote.book.as_deref(), quote.snapshot_at) else { continue };
            let is_known = seen < as_of && quote.market_updated_at.is_none_or(|updated| updated < as_of);
            if is_known && !book.is_empty() {
                books.entry(book).or_default().push((seen, quote.line.half_points()));
            }
        }
        // Of two lines in one snapshot the smaller one comes first: the same answer in any order of quotes.
        for lines in books.values_mut() {
            lines.sort_unstable();
        }
        Self(books)
    }

    /// The lines of the best-ranked book that has any.
    fn preferred(&self) -> Option<BookLine> {
        let rank = |book: &str| BOOK_RANK.iter().position(|b| *b == book).unwrap_or(usize::MAX);
        let (_, lines) = self.0.iter().min_by_key(|(book, _)| (rank(book), **book))?;
        let points = |half: i32| f64::from(half) / 2.0;
        Some(BookLine { earliest: points(lines.first()?.1), newest: points(newest(lines)?) })
    }

    fn spread(&self) -> Option<f64> {
        let counting: Vec<i32> = self
            .0
            .iter()
            .filter(|(book, _)| !NOT_IN_CONSENSUS.contains(book))
            .filter_map(|(_, lines)| newest(lines))
            .collect();
        spread_points(&counting)
    }
}

/// The smallest line of the newest snapshot, for lines sorted by snapshot and line.
fn newest(lines: &[(Timestamp, i32)]) -> Option<i32> {
    let (latest, _) = lines.last()?;
    lines.iter().find(|(seen, _)| seen == latest).map(|(_, half)| *half)
}

/// A value of its own; none when it is missing or a default.
fn value_of(contract: &FeatureContract, vector: &FeatureVector, name: &str) -> Option<f64> {
    let feature = vector.features.get(contract.position(name)?)?;
    (!feature.defaulted && feature.value.is_finite()).then_some(feature.value)
}

fn set(
    contract: &FeatureContract,
    vector: &mut FeatureVector,
    name: &str,
    value: Option<f64>,
    source: FeatureSource,
) {
    let place = contract.position(name).and_then(|at| vector.features.get_mut(at));
    if let Some(place) = place {
        *place = value.map_or_else(Feature::missing, |v| Feature::real(v, source));
    }
}

#[cfg(test)]
mod tests {
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
}
