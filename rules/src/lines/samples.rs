//! Quotes for tests.

#![allow(clippy::unwrap_used)] // a test may stop at the first surprise

use jiff::Timestamp;
use proto::{Market, Quote};

/// Tip-off of the sample game.
pub(crate) const TIP: &str = "2026-01-24T00:30:00Z";
/// As-of of the samples, one hour before tip-off.
pub(crate) const AS_OF: &str = "2026-01-23T23:30:00Z";
/// When the sample quotes were seen.
pub(crate) const SEEN: &str = "2026-01-23T23:00:00Z";

/// An instant.
pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A clean main quote of the points market; an empty price is a missing side.
pub(crate) fn quote(book: &str, line: &str, over: &str, under: &str) -> Quote {
    let price = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
    Quote {
        book: Some(book.into()),
        event_id: Some("e0f1a2b3c4d5e6f708192a3b4c5d6e7f".into()),
        market: Market::points(),
        line: line.parse().unwrap(),
        over: price(over),
        under: price(under),
        snapshot_at: Some(at(SEEN)),
        market_updated_at: Some(at(SEEN)),
        is_main: true,
        source: "odds_api".into(),
    }
}

/// Three books that agree on 24.5.
pub(crate) fn three_books() -> Vec<Quote> {
    ["draftkings", "fanduel", "betmgm"].map(|book| quote(book, "24.5", "-110", "-112")).to_vec()
}
