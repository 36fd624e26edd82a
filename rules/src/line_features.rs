//! What the models see of the market: each wanted market's line and what the books make of it, from given quotes.
//!
//! Feature build and `/start` call this one function, so that a model is served what it was trained on (incident 75).
//! Give it every snapshot that is known before the as-of: the opening line is the *earliest* of them. A quote at or
//! after the as-of is not looked at, whoever passes it (57: in-play lines leaked into 266 player-games). Books and
//! their order are part of the contract's meaning and therefore constants here, not configuration. The terms are those
//! of `features.toml`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proto::features::FeatureContract;
use proto::{Feature, FeatureSource, FeatureVector, Quote};

use crate::lines::choose::{median_half_points, spread_points};
use crate::lines::policy::{BOOK_RANK, NOT_IN_CONSENSUS};
use crate::odds::TwoSided;

/// Sets the line-derived features of a vector from quotes; alternates and placeholders are left out. What a market
/// without quotes cannot give is missing; `has_vegas_line` is then 0. A value outside the contract's range is missing.
pub fn apply<'a>(
    contract: &FeatureContract,
    vector: &mut FeatureVector,
    quotes: impl IntoIterator<Item = &'a Quote>,
    as_of: Timestamp,
) {
    let quotes: Vec<&Quote> = quotes.into_iter().collect();
    for names in &MARKETS {
        let books = Books::of(&quotes, names.market, as_of);
        let mut out = Out { contract, vector: &mut *vector };
        market(&mut out, names, &books);
        if names.market == "points" {
            points(&mut out, &books);
        }
    }
}

/// Features of one market by name.
struct Names {
    market: &'static str,
    season_avg: &'static str,
    line: &'static str,
    line_vs_season_avg: &'static str,
    book_std: &'static str,
    consensus_line: &'static str,
    no_vig_over: &'static str,
    line_minus_consensus: &'static str,
    book_count: &'static str,
    line_move: &'static str,
}

/// Points have the field's names where the field has any.
const MARKETS: [Names; 4] = [
    Names {
        market: "points",
        season_avg: "points_avg_season",
        line: "vegas_points_line",
        line_vs_season_avg: "line_vs_season_avg",
        book_std: "multi_book_line_std",
        consensus_line: "points_consensus_line",
        no_vig_over: "points_no_vig_over",
        line_minus_consensus: "points_line_minus_consensus",
        book_count: "points_book_count",
        line_move: "points_line_move",
    },
    Names {
        market: "rebounds",
        season_avg: "rebounds_avg_season",
        line: "rebounds_line",
        line_vs_season_avg: "rebounds_line_vs_season_avg",
        book_std: "rebounds_book_std",
        consensus_line: "rebounds_consensus_line",
        no_vig_over: "rebounds_no_vig_over",
        line_minus_consensus: "rebounds_line_minus_consensus",
        book_count: "rebounds_book_count",
        line_move: "rebounds_line_move",
    },
    Names {
        market: "assists",
        season_avg: "assists_avg_season",
        line: "assists_line",
        line_vs_season_avg: "assists_line_vs_season_avg",
        book_std: "assists_book_std",
        consensus_line: "assists_consensus_line",
        no_vig_over: "assists_no_vig_over",
        line_minus_consensus: "assists_line_minus_consensus",
        book_count: "assists_book_count",
        line_move: "assists_line_move",
    },
    Names {
        market: "threes",
        season_avg: "threes_avg_season",
        line: "threes_line",
        line_vs_season_avg: "threes_line_vs_season_avg",
        book_std: "threes_book_std",
        consensus_line: "threes_consensus_line",
        no_vig_over: "threes_no_vig_over",
        line_minus_consensus: "threes_line_minus_consensus",
        book_count: "threes_book_count",
        line_move: "threes_line_move",
    },
];

/// The markets whose quotes this module reads.
pub fn markets() -> impl Iterator<Item = &'static str> {
    MARKETS.iter().map(|names| names.market)
}

fn market(out: &mut Out<'_>, names: &Names, books: &Books<'_>) {
    use FeatureSource::{Calculated, Odds};
    let line = out.set(names.line, books.preferred().map(|book| book.newest), Odds);
    let season = out.value_of(names.season_avg);
    out.set(names.line_vs_season_avg, line.zip(season).map(|(line, season)| line - season), Calculated);
    out.set(names.book_std, books.spread(), Odds);

    let consensus = out.set(names.consensus_line, books.median(|book| book.newest), Odds);
    let opening = books.median(|book| book.opening);
    out.set(names.no_vig_over, books.no_vig_over(), Odds);
    out.set(names.line_minus_consensus, line.zip(consensus).map(|(line, all)| line - all), Calculated);
    out.set(names.book_count, books.count(), Odds);
    out.set(names.line_move, consensus.zip(opening).map(|(now, then)| now - then), Calculated);
}

/// What only points have.
fn points(out: &mut Out<'_>, books: &Books<'_>) {
    use FeatureSource::{Calculated, Odds};
    let line = out.value_of("vegas_points_line");
    let opening = out.set("vegas_opening_line", books.preferred().map(|book| book.opening), Odds);
    out.set("vegas_line_move", line.zip(opening).map(|(now, then)| now - then), Calculated);
    out.set("has_vegas_line", Some(if line.is_some() { 1.0 } else { 0.0 }), Calculated);
    let (consensus, previous) = (out.value_of("points_consensus_line"), out.value_of("points_previous_line"));
    out.set("prop_line_delta", consensus.zip(previous).map(|(now, then)| now - then), Calculated);
}

/// The line of the preferred book, in points, of newest lines in half points by book.
pub fn preferred_line(books: &BTreeMap<String, i32>) -> Option<f64> {
    let (_, half) = books.iter().min_by_key(|(book, _)| preference(book))?;
    Some(f64::from(*half) / 2.0)
}

/// The median of the counting books, in points, of newest lines in half points by book.
pub fn consensus_line(books: &BTreeMap<String, i32>) -> Option<f64> {
    median_half_points(books.iter().filter(|(book, _)| counts(book)).map(|(_, half)| *half).collect())
}

/// Order of preference among books: by rank, the others by name.
fn preference(book: &str) -> (usize, &str) {
    (BOOK_RANK.iter().position(|ranked| *ranked == book).unwrap_or(usize::MAX), book)
}

fn counts(book: &str) -> bool {
    !NOT_IN_CONSENSUS.contains(&book)
}

/// One book's lines of a market, in half points.
struct Book<'a> {
    name: &'a str,
    opening: i32,
    newest: i32,
    /// No-vig over probability at the newest line; none without both prices.
    no_vig_over: Option<f64>,
}

/// Points, as features say them.
struct BookLine {
    opening: f64,
    newest: f64,
}

struct Books<'a>(Vec<Book<'a>>);

impl<'a> Books<'a> {
    fn of(quotes: &[&'a Quote], market: &str, as_of: Timestamp) -> Self {
        let mut books: BTreeMap<&str, Vec<(Timestamp, &Quote)>> = BTreeMap::new();
        let of_market = |q: &&&Quote| q.is_main && q.market.as_str() == market && q.event_id.is_some();
        for quote in quotes.iter().filter(of_market) {
            let (Some(book), Some(seen)) = (quote.book.as_deref(), quote.snapshot_at) else { continue };
            let is_known = seen < as_of && quote.market_updated_at.is_none_or(|updated| updated < as_of);
            if is_known && !book.is_empty() {
                books.entry(book).or_default().push((seen, quote));
            }
        }
        Self(books.into_iter().filter_map(|(name, quotes)| book(name, &quotes)).collect())
    }

    /// The lines of the preferred book.
    fn preferred(&self) -> Option<BookLine> {
        let book = self.0.iter().min_by_key(|book| preference(book.name))?;
        let points = |half: i32| f64::from(half) / 2.0;
        Some(BookLine { opening: points(book.opening), newest: points(book.newest) })
    }

    fn counting(&self) -> impl Iterator<Item = &Book<'a>> {
        self.0.iter().filter(|book| counts(book.name))
    }

    fn median(&self, line: impl Fn(&Book<'a>) -> i32) -> Option<f64> {
        median_half_points(self.counting().map(line).collect())
    }

    fn spread(&self) -> Option<f64> {
        spread_points(&self.counting().map(|book| book.newest).collect::<Vec<_>>())
    }

    /// None when nobody counts: that nobody quotes is no number of books.
    fn count(&self) -> Option<f64> {
        let n = self.counting().count();
        (n > 0).then_some(n as f64)
    }

    fn no_vig_over(&self) -> Option<f64> {
        let mut all: Vec<f64> = self.counting().filter_map(|book| book.no_vig_over).collect();
        all.sort_by(f64::total_cmp);
        let low = all.get(all.len().checked_sub(1)? / 2)?;
        let high = all.get(all.len() / 2)?;
        Some((low + high) / 2.0)
    }
}

/// The smallest line of the first and of the last snapshot: the same answer in any order of quotes.
fn book<'a>(name: &'a str, quotes: &[(Timestamp, &'a Quote)]) -> Option<Book<'a>> {
    let first = quotes.iter().map(|(seen, _)| *seen).min()?;
    let last = quotes.iter().map(|(seen, _)| *seen).max()?;
    let smallest = |at: Timestamp| {
        quotes.iter().filter(|(seen, _)| *seen == at).map(|(_, quote)| quote.line.half_points()).min()
    };
    let newest = smallest(last)?;
    let no_vig_over = quotes
        .iter()
        .filter(|(seen, quote)| *seen == last && quote.line.half_points() == newest)
        .filter_map(|(_, quote)| TwoSided::of(quote.over.as_ref()?, quote.under.as_ref()?))
        .map(TwoSided::no_vig_over)
        .min_by(f64::total_cmp);
    Some(Book { name, opening: smallest(first)?, newest, no_vig_over })
}

/// A vector with the names of its places.
struct Out<'a> {
    contract: &'a FeatureContract,
    vector: &'a mut FeatureVector,
}

impl Out<'_> {
    /// Sets a feature and answers what went in: what is implausible is missing, to those that derive from it too.
    fn set(&mut self, name: &str, value: Option<f64>, source: FeatureSource) -> Option<f64> {
        let at = self.contract.position(name)?;
        let spec = self.contract.features.get(at)?;
        let value = value.filter(|value| spec.is_plausible(*value));
        let place = self.vector.features.get_mut(at)?;
        *place = value.map_or_else(Feature::missing, |v| Feature::real(v, source));
        value
    }

    /// A value of its own; none when it is missing or a default.
    fn value_of(&self, name: &str) -> Option<f64> {
        let feature = self.vector.features.get(self.contract.position(name)?)?;
        (!feature.defaulted && feature.value.is_finite()).then_some(feature.value)
    }
}

#[cfg(test)]
mod tests;
