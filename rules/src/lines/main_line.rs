//! Which of a book's points is its main line: the one whose no-vig probability is nearest to one half.
//!
//! Some feeds carry alternates under the plain market key (three quarters of the rows of two books in the real
//! data), so the key alone cannot tell. The comparison is exact and ties are broken by the smaller line, then by
//! price texts: the same snapshot gives the same main line on every machine and in any order.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use proto::{Line, Price, Quote};

use crate::odds::{Implied, TwoSided};

/// One point of one book as far as its price tells.
#[derive(Debug, Clone, Copy)]
pub struct Point<'a> {
    /// The line.
    pub line: Line,
    /// Over price.
    pub over: Option<&'a Price>,
    /// Under price.
    pub under: Option<&'a Price>,
}

enum Evenness {
    Both(TwoSided),
    One(Implied),
    None,
}

impl Evenness {
    fn of(point: &Point<'_>) -> Self {
        let one = |price: Option<&Price>| price.and_then(Implied::of).map_or(Self::None, Self::One);
        match (point.over, point.under) {
            (Some(over), Some(under)) => TwoSided::of(over, under).map_or(Self::None, Self::Both),
            (over, under) => one(over.or(under)),
        }
    }

    /// Points with both sides come before those with one, those before none; then by distance from even money.
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Both(a), Self::Both(b)) => a.cmp_evenness(*b),
            (Self::One(a), Self::One(b)) => a.cmp_evenness(*b),
            _ => self.class().cmp(&other.class()),
        }
    }

    fn class(&self) -> u8 {
        match self {
            Self::Both(_) => 0,
            Self::One(_) => 1,
            Self::None => 2,
        }
    }
}

/// Position of the main point among the points of one book, market, player and snapshot; none of none.
///
/// A point with one side is main only when the book offers no point with two.
pub fn main_point<'a>(points: impl IntoIterator<Item = Point<'a>>) -> Option<usize> {
    let text = |price: Option<&'a Price>| price.map_or("", |p| p.as_str());
    points
        .into_iter()
        .enumerate()
        .map(|(at, point)| (Evenness::of(&point), (point.line, text(point.over), text(point.under), at)))
        .min_by(|(even_a, rest_a), (even_b, rest_b)| even_a.cmp(even_b).then_with(|| rest_a.cmp(rest_b)))
        .map(|(_, (.., at))| at)
}

/// Sets `is_main` on the quotes of one player: in each group of event, book, market and snapshot the main point,
/// and every repetition of it (which the line gate refuses as `duplicate_quote`).
pub fn mark_main(quotes: &mut [Quote]) {
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (at, q) in quotes.iter().enumerate() {
        let key = (q.event_id.clone(), q.book.clone(), q.market.clone(), q.snapshot_at);
        groups.entry(key).or_default().push(at);
    }
    for members in groups.values() {
        let points = members.iter().map(|at| {
            let q = &quotes[*at];
            Point { line: q.line, over: q.over.as_ref(), under: q.under.as_ref() }
        });
        let main = main_point(points).map(|at| quotes[members[at]].line);
        for at in members {
            quotes[*at].is_main = Some(quotes[*at].line) == main;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use proptest::prelude::*;

    use super::super::samples::quote;
    use super::*;

    fn main_lines(points: &[(&str, &str, &str)]) -> Vec<String> {
        let mut quotes: Vec<Quote> = points.iter().map(|(line, o, u)| quote("fanduel", line, o, u)).collect();
        mark_main(&mut quotes);
        quotes.iter().filter(|q| q.is_main).map(|q| q.line.to_string()).collect()
    }

    #[test]
    fn nearest_to_even_money_wins() {
        for (points, main) in [
            (vec![("24.5", "-110", "-110")], "24.5"),
            (vec![("22.5", "-190", "145"), ("24.5", "-115", "-105"), ("26.5", "150", "-195")], "24.5"),
            (vec![("24.5", "-130", "100"), ("25.5", "-112", "-108")], "25.5"),
            // Decimal and American prices compare as what they mean.
            (vec![("24.5", "1.95", "1.87"), ("25.5", "-190", "145")], "24.5"),
            // A tie goes to the smaller line.
            (vec![("25.5", "-105", "-115"), ("24.5", "-115", "-105")], "24.5"),
            // One side is main only when there is no other point.
            (vec![("24.5", "100", ""), ("25.5", "-190", "145")], "25.5"),
            (vec![("24.5", "", "-300"), ("25.5", "-105", "")], "25.5"),
        ] {
            assert_eq!(main_lines(&points), [main], "{points:?}");
        }
    }

    #[test]
    fn groups_are_apart() {
        let mut quotes = vec![
            quote("fanduel", "24.5", "-110", "-110"),
            quote("draftkings", "25.5", "-150", "120"),
            Quote { market: "rebounds".parse().unwrap(), ..quote("fanduel", "7.5", "-150", "120") },
            Quote { snapshot_at: None, ..quote("fanduel", "23.5", "-150", "120") },
        ];
        mark_main(&mut quotes);
        assert!(quotes.iter().all(|q| q.is_main));
        assert_eq!(main_point([]), None);
    }

    #[test]
    fn a_repeated_main_point_stays_visible() {
        assert_eq!(main_lines(&[("24.5", "-110", "-110"), ("24.5", "-110", "-110")]), ["24.5", "24.5"]);
    }

    proptest! {
        #[test]
        fn the_order_of_quotes_does_not_matter(
            points in proptest::collection::vec((20i32..30, -200i32..=-101, -200i32..=-101), 1..8),
            by in 0usize..8,
        ) {
            let mut quotes: Vec<Quote> = points
                .iter()
                .map(|(half, o, u)| quote("fanduel", &format!("{}", f64::from(*half) / 2.0), &o.to_string(), &u.to_string()))
                .collect();
            mark_main(&mut quotes);
            let mains: Vec<Line> = quotes.iter().filter(|q| q.is_main).map(|q| q.line).collect();
            let turn = by % quotes.len();
            quotes.rotate_left(turn);
            mark_main(&mut quotes);
            prop_assert!(!mains.is_empty());
            prop_assert!(quotes.iter().filter(|q| q.is_main).all(|q| q.line == mains[0]));
        }
    }
}
