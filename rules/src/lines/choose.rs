//! Which surviving quote a prediction is compared with, and what the other books say beside it.

use std::collections::BTreeMap;

use proto::{Line, Quote};

use super::LinePolicy;
use crate::odds::TwoSided;

/// The chosen line of one market.
#[derive(Debug, Clone, PartialEq)]
pub struct ChosenLine {
    /// The quote of the best-ranked book that survived; book, event, snapshot and both prices are there.
    pub quote: Quote,
    /// Median of the counting books' main lines.
    pub consensus_line: Option<f64>,
    /// Population standard deviation of the same; none below two books.
    pub line_spread: Option<f64>,
    /// Probability of the over at the chosen book, its margin taken out in proportion.
    pub no_vig_over: f64,
    /// True when the chosen book is not the first of the rank.
    pub was_fallback: bool,
}

/// Chooses among the survivors of [`super::judge()`]; none when there is none. A quote without book or prices is never
/// chosen, whoever passes it.
pub fn choose(survivors: &[Quote], policy: &LinePolicy) -> Option<ChosenLine> {
    choose_among(&survivors.iter().collect::<Vec<_>>(), policy)
}

/// The same without copies, for the gate.
pub(crate) fn choose_among(survivors: &[&Quote], policy: &LinePolicy) -> Option<ChosenLine> {
    let (quote, book, both) = survivors
        .iter()
        .copied()
        .filter_map(|quote| {
            let book = quote.book.as_deref()?;
            let both = TwoSided::of(quote.over.as_ref()?, quote.under.as_ref()?)?;
            (quote.snapshot_at.is_some() && quote.event_id.is_some()).then_some((quote, book, both))
        })
        .min_by_key(|(quote, book, _)| (policy.rank_of(book), quote.line))?;
    let main_by_book: BTreeMap<&str, Line> =
        survivors.iter().filter_map(|q| Some((q.book.as_deref()?, q.line))).collect();
    let counting: Vec<i32> = main_by_book
        .iter()
        .filter(|(book, _)| policy.counts(book))
        .map(|(_, line)| line.half_points())
        .collect();
    Some(ChosenLine {
        quote: quote.clone(),
        line_spread: spread_points(&counting),
        consensus_line: median_half_points(counting),
        no_vig_over: both.no_vig_over(),
        was_fallback: policy.rank.first().is_none_or(|first| first != book),
    })
}

/// Median in points of lines in half points; exact, since it lies on a quarter.
pub(crate) fn median_half_points(mut lines: Vec<i32>) -> Option<f64> {
    lines.sort_unstable();
    let n = lines.len();
    let low = *lines.get(n.checked_sub(1)? / 2)?;
    let high = *lines.get(n / 2)?;
    Some((f64::from(low) + f64::from(high)) / 4.0)
}

/// Population standard deviation in points of lines in half points; none below two.
pub(crate) fn spread_points(lines: &[i32]) -> Option<f64> {
    if lines.len() < 2 {
        return None;
    }
    let n = lines.len() as f64;
    let mean = lines.iter().map(|l| f64::from(*l)).sum::<f64>() / n;
    let variance = lines.iter().map(|l| (f64::from(*l) - mean).powi(2)).sum::<f64>() / n;
    Some(variance.sqrt() / 2.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::super::samples::{quote, three_books};
    use super::*;

    #[test]
    fn the_best_ranked_book_wins_and_the_others_are_kept_beside_it() {
        let policy = LinePolicy::default();
        let quotes = [
            quote("bovada", "30.5", "-110", "-110"),
            quote("betmgm", "25.5", "100", "-120"),
            quote("fanduel", "24.5", "-120", "100"),
            quote("some_new_book", "23.0", "-110", "-110"),
        ];
        let chosen = choose(&quotes, &policy).unwrap();
        assert_eq!((chosen.quote.book.as_deref(), chosen.was_fallback), (Some("fanduel"), true));
        assert_eq!(chosen.consensus_line, Some(24.5), "bovada counts in no consensus");

        let spread = chosen.line_spread.unwrap(); // of 25.5, 24.5 and 23.0
        assert!((spread - 1.027_402_3).abs() < 1e-6, "{spread}");
        assert!(chosen.no_vig_over > 0.5);
    }

    #[test]
    fn the_first_book_is_no_fallback() {
        let chosen = choose(&three_books(), &LinePolicy::default()).unwrap();
        assert!(!chosen.was_fallback);
        assert_eq!((chosen.consensus_line, chosen.line_spread), (Some(24.5), Some(0.0)));
    }

    #[test]
    fn one_book_has_no_spread_and_bovada_alone_no_consensus() {
        let policy = LinePolicy::default();
        let chosen = choose(&[quote("bovada", "24.5", "-110", "-110")], &policy).unwrap();
        assert_eq!((chosen.consensus_line, chosen.line_spread), (None, None));
        assert_eq!(choose(&[], &policy), None);
        assert_eq!(choose(&[quote("draftkings", "24.5", "-110", "")], &policy), None);
    }

    #[test]
    fn medians_are_exact() {
        for (lines, median) in
            [(vec![49], 24.5), (vec![49, 51], 25.0), (vec![49, 50], 24.75), (vec![51, 49, 60], 25.5)]
        {
            assert_eq!(median_half_points(lines.clone()), Some(median), "{lines:?}");
        }
        assert_eq!(median_half_points(vec![]), None);
    }
}
