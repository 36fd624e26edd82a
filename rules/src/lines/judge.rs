//! The line gate: every main quote either survives or is refused with exactly one code.

use std::collections::BTreeMap;
use std::fmt::Display;

use jiff::{SignedDuration, Timestamp};
use proto::{Code, CodeNote, Market, Quote, Text};

use super::LinePolicy;
use super::choose::median_half_points;
use crate::odds::TwoSided;

/// What quotes are judged by.
#[derive(Debug, Clone)]
pub struct LineContext {
    /// The market that is asked for.
    pub market: Market,
    /// The instant of the prediction.
    pub as_of: Timestamp,
    /// When the game begins.
    pub tip_off: Timestamp,
    /// The event's newest snapshot at the as-of, over all players and books.
    pub event_newest_snapshot: Option<Timestamp>,
    /// True for a date that is over: a longer limit of age holds.
    pub backfill: bool,
}

/// What is left of the quotes, and why the others are not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judged {
    /// Main quotes that count, at most one for each book, in the order they came.
    pub survivors: Vec<Quote>,
    /// One note for each main quote that does not; its `book` is always set (`?` for none).
    pub refused: Vec<CodeNote>,
}

/// Judges the main quotes of one player and market. Alternates are neither judged nor counted.
pub fn judge(quotes: &[Quote], ctx: &LineContext, policy: &LinePolicy) -> Judged {
    let (survivors, refused) = judge_all(quotes, ctx, policy);
    Judged { survivors: survivors.into_iter().cloned().collect(), refused }
}

/// The same without copies, for the gate.
pub(crate) fn judge_all<'q>(
    quotes: impl IntoIterator<Item = &'q Quote> + Clone,
    ctx: &LineContext,
    policy: &LinePolicy,
) -> (Vec<&'q Quote>, Vec<CodeNote>) {
    // Without a figure for the event, the newest quote of the player itself is the least that is known.
    let seen = quotes.clone().into_iter().filter_map(|q| q.snapshot_at).filter(|at| *at < ctx.tip_off).max();
    let gate = Gate { ctx, policy, newest: ctx.event_newest_snapshot.max(seen) };
    let mut refused = Vec::new();
    let mut standing: Vec<&Quote> = Vec::new();
    for quote in quotes.into_iter().filter(|q| q.is_main) {
        match gate.alone(quote) {
            Ok(()) => standing.push(quote),
            Err((code, why)) => refused.push(note(quote, code, why)),
        }
    }
    let standing = one_of_each_book(standing, &mut refused);
    let standing = gate.near_the_median(standing, &mut refused);
    let survivors = gate.of_one_mind(standing, &mut refused);
    (survivors, refused)
}

type Verdict = Result<(), (Code, String)>;

struct Gate<'a> {
    ctx: &'a LineContext,
    policy: &'a LinePolicy,
    newest: Option<Timestamp>,
}

impl Gate<'_> {
    /// What a quote says about itself, first refusal wins.
    fn alone(&self, quote: &Quote) -> Verdict {
        if quote.market != self.ctx.market {
            return Err((
                Code::WrongMarket,
                format!("is of {}, wanted is {}", quote.market, self.ctx.market),
            ));
        }
        let (book, seen) = provenance(quote)?;
        if self.policy.is_excluded(book) {
            return Err((Code::BookExcluded, "its book is excluded by the configuration".to_owned()));
        }
        self.before_tip_off(quote, seen)?;
        self.fresh(seen)?;
        self.of_this_day(quote, seen)?;
        self.priced(quote)
    }

    fn before_tip_off(&self, quote: &Quote, seen: Timestamp) -> Verdict {
        let tip = self.ctx.tip_off;
        if seen >= tip {
            return Err((Code::InPlay, format!("was seen {seen}, the game began {tip}")));
        }
        match quote.market_updated_at {
            Some(updated) if updated >= tip => {
                Err((Code::InPlay, format!("was changed {updated}, the game began {tip}")))
            }
            _ => Ok(()),
        }
    }

    fn fresh(&self, seen: Timestamp) -> Verdict {
        let limit = self.policy.stale_after(self.ctx.backfill);
        let age = self.ctx.as_of.duration_since(seen);
        if age > limit {
            let (age, limit) = (hours(age), hours(limit));
            return Err((Code::Stale, format!("was seen {age} h before the as-of, the limit is {limit} h")));
        }
        let limit = self.policy.behind_newest();
        let behind = self.newest.map_or(SignedDuration::ZERO, |newest| newest.duration_since(seen));
        if behind > limit {
            let (behind, limit) = (behind.as_mins(), limit.as_mins());
            return Err((
                Code::Stale,
                format!(
                    "was last seen {behind} min before the event's newest snapshot, the limit is {limit} min"
                ),
            ));
        }
        Ok(())
    }

    /// A feed that repeats yesterday carries a fresh snapshot and old changes.
    fn of_this_day(&self, quote: &Quote, seen: Timestamp) -> Verdict {
        let limit = self.policy.repeated_after();
        match quote.market_updated_at.map(|updated| seen.duration_since(updated)) {
            Some(unchanged) if unchanged > limit => {
                let (unchanged, limit) = (hours(unchanged), hours(limit));
                Err((
                    Code::Stale,
                    format!(
                        "was changed last {unchanged} h before it was seen, the limit is {limit} h: its book repeats itself"
                    ),
                ))
            }
            _ => Ok(()),
        }
    }

    fn priced(&self, quote: &Quote) -> Verdict {
        let (Some(over), Some(under)) = (&quote.over, &quote.under) else {
            let lacking = if quote.over.is_none() { "over" } else { "under" };
            return Err((Code::OneSided, format!("has no price for the {lacking}")));
        };
        let both = TwoSided::of(over, under)
            .ok_or_else(|| (Code::PriceOutOfRange, format!("has the prices {over} and {under}")))?;
        let (low, high) = (self.policy.price_min_american, self.policy.price_max_american);
        if let Some(odd) = [over, under].into_iter().find(|p| !self.policy.price_in_range(p)) {
            return Err((
                Code::PriceOutOfRange,
                format!("has the price {odd}, main lines lie in {low} to +{high}"),
            ));
        }
        let (min, max) = self.policy.hold_bounds();
        if !both.hold_within(min, max) {
            let (hold, low, high) =
                (percent(both.hold()), percent(self.policy.hold_min), percent(self.policy.hold_max));
            return Err((
                Code::HoldOutOfRange,
                format!("has a margin of {hold} at {over} and {under}, plausible are {low} to {high}"),
            ));
        }
        Ok(())
    }

    /// Refuses what is far from the median of the counting books; below [`LinePolicy::outlier_min_books`] nobody is.
    fn near_the_median<'q>(&self, quotes: Vec<&'q Quote>, refused: &mut Vec<CodeNote>) -> Vec<&'q Quote> {
        let counting: Vec<i32> =
            quotes.iter().filter(|q| self.policy.counts(book_of(q))).map(|q| q.line.half_points()).collect();
        let n = counting.len();
        let Some(median) = median_half_points(counting).filter(|_| n >= self.policy.outlier_min_books) else {
            return quotes;
        };
        let limit = self.policy.outlier_limit(median);
        let mut kept = Vec::with_capacity(quotes.len());
        for quote in quotes {
            let distance = (quote.line.points() - median).abs();
            // Written so that a limit that is no number refuses.
            if distance <= limit {
                kept.push(quote);
            } else {
                let why =
                    format!("is {distance} from {median}, the median of {n} books; the limit is {limit:.1}");
                refused.push(note(quote, Code::Outlier, why));
            }
        }
        kept
    }

    /// Refuses a quote whose no-vig probability is far from the median of the counting books at the same line. Books
    /// differ by 4 points in a hundred at most, but for one in a hundred; swapped sides differ by twice the distance from even.
    fn of_one_mind<'q>(&self, quotes: Vec<&'q Quote>, refused: &mut Vec<CodeNote>) -> Vec<&'q Quote> {
        let mut by_line: BTreeMap<i32, Vec<f64>> = BTreeMap::new();
        for quote in quotes.iter().filter(|q| self.policy.counts(book_of(q))) {
            by_line.entry(quote.line.half_points()).or_default().extend(no_vig_over(quote));
        }
        by_line.values_mut().for_each(|list| list.sort_by(f64::total_cmp));
        let mut kept = Vec::with_capacity(quotes.len());
        for quote in quotes {
            let books = by_line.get(&quote.line.half_points()).map_or(&[][..], Vec::as_slice);
            let (Some(median), Some(own)) = (median_of_sorted(books), no_vig_over(quote)) else {
                kept.push(quote);
                continue;
            };
            let limit = self.policy.outlier_probability;
            // Written so that a limit that is no number refuses.
            if books.len() < self.policy.outlier_min_books || (own - median).abs() <= limit {
                kept.push(quote);
                continue;
            }
            let (own, median, limit) = (percent(own), percent(median), percent(limit));
            let n = books.len();
            let why = format!(
                "gives the over {own}, the median of {n} books at this line is {median}; the limit is {limit} apart: are its sides swapped?"
            );
            refused.push(note(quote, Code::Outlier, why));
        }
        kept
    }
}

fn no_vig_over(quote: &Quote) -> Option<f64> {
    TwoSided::of(quote.over.as_ref()?, quote.under.as_ref()?).map(TwoSided::no_vig_over)
}

fn median_of_sorted(values: &[f64]) -> Option<f64> {
    let low = values.get(values.len().checked_sub(1)? / 2)?;
    Some((low + values.get(values.len() / 2)?) / 2.0)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Book and instant of a quote; without book, event or snapshot it is a placeholder, whatever its number.
fn provenance(quote: &Quote) -> Result<(&str, Timestamp), (Code, String)> {
    let named = |field: &Option<Text>| field.as_deref().is_some_and(|text| !text.trim().is_empty());
    let lacking = [("book", !named(&quote.book)), ("event", !named(&quote.event_id))]
        .into_iter()
        .chain([("snapshot", quote.snapshot_at.is_none())])
        .filter_map(|(what, is_lacking)| is_lacking.then_some(what));
    let lacking: Vec<&str> = lacking.collect();
    match (lacking.is_empty(), quote.snapshot_at) {
        (true, Some(seen)) => Ok((book_of(quote), seen)),
        _ => Err((Code::Placeholder, format!("has no {} behind it", lacking.join(" and no ")))),
    }
}

/// Keeps one quote of each book: its newest, and of the same snapshot the first by line and prices.
fn one_of_each_book<'q>(quotes: Vec<&'q Quote>, refused: &mut Vec<CodeNote>) -> Vec<&'q Quote> {
    let mut best: BTreeMap<&str, &Quote> = BTreeMap::new();
    for quote in &quotes {
        let kept = best.entry(book_of(quote)).or_insert(quote);
        if order(quote) < order(kept) {
            *kept = quote;
        }
    }
    let mut taken: Vec<&str> = Vec::new();
    let mut kept = Vec::with_capacity(best.len());
    for quote in quotes {
        let book = book_of(quote);
        let winner = best[book];
        if quote == winner && !taken.contains(&book) {
            taken.push(book);
            kept.push(quote);
        } else if quote.snapshot_at == winner.snapshot_at {
            let why = format!("stands beside {} in the same snapshot", winner.line);
            refused.push(note(quote, Code::DuplicateQuote, why));
        } else {
            refused.push(note(
                quote,
                Code::Stale,
                format!("was replaced by {} of the same book", winner.line),
            ));
        }
    }
    kept
}

/// Newest snapshot first, then newest change, then by line and price texts: a total order but for equal quotes.
fn order(q: &Quote) -> impl Ord + '_ {
    let newest_first = (std::cmp::Reverse(q.snapshot_at), std::cmp::Reverse(q.market_updated_at));
    (newest_first, q.line, &q.over, &q.under, &q.source, &q.event_id)
}

fn book_of(quote: &Quote) -> &str {
    quote.book.as_deref().unwrap_or("?")
}

fn note(quote: &Quote, code: Code, why: impl Display) -> CodeNote {
    let book = match book_of(quote).trim() {
        "" => "?",
        book => book,
    };
    CodeNote {
        market: Some(quote.market.clone()),
        book: Some(book.to_owned()),
        code,
        sentence: format!("{book} {} {why}", quote.line),
    }
}

fn hours(duration: SignedDuration) -> String {
    let hours = duration.as_secs_f64() / 3600.0;
    if hours.fract() == 0.0 { format!("{hours}") } else { format!("{hours:.1}") }
}

#[cfg(test)]
mod tests;
