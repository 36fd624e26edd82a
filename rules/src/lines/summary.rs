//! What the books together say about one player in one snapshot.
//!
//! A median of three books hides that one of them stands alone, that all of them charge more for the over, or that
//! the books which take large bets disagree with those which do not. This page of figures shows it, for people and
//! for later models; no gate reads it. Which books count is the line policy's, so it never differs from the gate's.

use std::collections::BTreeMap;

use proto::{Line, Price};

use super::LinePolicy;
use super::choose::{median_half_points, spread_points};
use crate::odds::{Implied, TwoSided};

/// Books that take large bets and move first; everybody else who counts is soft. The vendor's keys.
pub const SHARP_BOOKS: [&str; 5] = ["pinnacle", "circasports", "betcris", "lowvig", "betonlineag"];

/// Fantasy operators: their prices are flat, so their lines are theirs alone and count in no summary.
pub const FANTASY_OPERATORS: [&str; 2] = ["prizepicks", "underdog"];

/// One book's main quote.
#[derive(Debug, Clone, Copy)]
pub struct BookLine<'a> {
    /// The vendor's book key.
    pub book: &'a str,
    /// Its main line.
    pub line: Line,
    /// Over price; none: one-sided.
    pub over: Option<&'a Price>,
    /// Under price; none: one-sided.
    pub under: Option<&'a Price>,
}

/// The books of one player, market and snapshot in figures.
#[derive(Debug, Clone, PartialEq)]
pub struct LineSummary {
    /// Books that count.
    pub num_books: usize,
    /// Median of their lines, in points.
    pub median_line: f64,
    /// Population standard deviation of their lines, in points; none below two books.
    pub line_spread: Option<f64>,
    /// Their smallest line.
    pub min_line: Line,
    /// Their largest line.
    pub max_line: Line,
    /// Books, counting or not, further from the median than the policy allows, in alphabetical order; nobody is judged
    /// by fewer counting books than the policy wants.
    pub outliers: Vec<String>,
    /// Mean of over minus under price, decimal, over two-sided books that count; positive: the over pays more. None
    /// below two such books.
    pub juice_skew: Option<f64>,
    /// Median line of the sharp books that count, in points.
    pub sharp_line: Option<f64>,
    /// Median line of the other books that count, in points.
    pub soft_line: Option<f64>,
    /// The line at which the no-vig probability holds: the one nearest the median that a two-sided book quotes.
    pub no_vig_line: Option<Line>,
    /// Mean no-vig probability of the over at that line, over the books that quote it.
    pub no_vig_over: Option<f64>,
}

/// Sums up the main quotes of one player, market and snapshot; none when no book that counts quotes. A book that is
/// there twice counts with its smaller line.
pub fn summarise<'a>(
    quotes: impl IntoIterator<Item = BookLine<'a>>,
    policy: &LinePolicy,
) -> Option<LineSummary> {
    let mut by_book: BTreeMap<&str, BookLine<'a>> = BTreeMap::new();
    for quote in quotes {
        let held = by_book.entry(quote.book).or_insert(quote);
        if quote.line < held.line {
            *held = quote;
        }
    }
    let counting: Vec<BookLine<'a>> =
        by_book.values().copied().filter(|q| counts_in_summaries(q.book, policy)).collect();
    let lines = |of: &[BookLine<'a>]| of.iter().map(|q| q.line.half_points()).collect::<Vec<i32>>();
    let median_line = median_half_points(lines(&counting))?;
    let (sharp, soft): (Vec<_>, Vec<_>) =
        counting.iter().copied().partition(|q| SHARP_BOOKS.contains(&q.book));
    let (no_vig_line, no_vig_over) = no_vig(&counting, median_line).unzip();
    Some(LineSummary {
        num_books: counting.len(),
        median_line,
        line_spread: spread_points(&lines(&counting)),
        min_line: counting.iter().map(|q| q.line).min()?,
        max_line: counting.iter().map(|q| q.line).max()?,
        outliers: outliers(by_book.values(), counting.len(), median_line, policy),
        juice_skew: juice_skew(&counting),
        sharp_line: median_half_points(lines(&sharp)),
        soft_line: median_half_points(lines(&soft)),
        no_vig_line,
        no_vig_over,
    })
}

/// True when a book's line counts in summaries.
fn counts_in_summaries(book: &str, policy: &LinePolicy) -> bool {
    policy.counts(book) && !FANTASY_OPERATORS.contains(&book)
}

fn outliers<'q, 'a: 'q>(
    quotes: impl Iterator<Item = &'q BookLine<'a>>,
    num_counting: usize,
    median: f64,
    policy: &LinePolicy,
) -> Vec<String> {
    if num_counting < policy.outlier_min_books {
        return Vec::new();
    }
    let limit = policy.outlier_limit(median);
    // Written so that a limit that is no number names everybody.
    let is_far = |q: &&BookLine<'_>| {
        let is_near = (q.line.points() - median).abs() <= limit;
        !is_near
    };
    quotes.filter(is_far).map(|q| q.book.to_owned()).collect()
}

fn juice_skew(counting: &[BookLine<'_>]) -> Option<f64> {
    let skews: Vec<f64> = counting
        .iter()
        .filter_map(|q| Some(Implied::of(q.over?)?.decimal() - Implied::of(q.under?)?.decimal()))
        .collect();
    (skews.len() >= 2).then(|| skews.iter().sum::<f64>() / skews.len() as f64)
}

/// Of the lines with two sides the one nearest the median: on a tie the one more books quote, then the smaller.
fn no_vig(counting: &[BookLine<'_>], median: f64) -> Option<(Line, f64)> {
    let mut at: BTreeMap<Line, Vec<f64>> = BTreeMap::new();
    for quote in counting {
        if let Some(both) = quote.over.zip(quote.under).and_then(|(over, under)| TwoSided::of(over, under)) {
            at.entry(quote.line).or_default().push(both.no_vig_over());
        }
    }
    let distance = |line: &Line| (line.points() - median).abs();
    let (line, probabilities) = at.into_iter().min_by(|(a, those), (b, these)| {
        distance(a).total_cmp(&distance(b)).then(these.len().cmp(&those.len())).then(a.cmp(b))
    })?;
    Some((line, probabilities.iter().sum::<f64>() / probabilities.len() as f64))
}

#[cfg(test)]
mod tests;
