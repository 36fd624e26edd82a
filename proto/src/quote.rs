//! What a book offers: one point with its two prices, and where and when it was seen.

use jiff::Timestamp;

use crate::text::named_enum;
use crate::{Line, Market, Price, Text};

named_enum! {
    /// When in the day of a game a quote was seen, derived from its snapshot among all of its event and market before
    /// tip-off; a quote in play has none.
    QuoteTag, "quote tag" {
        /// The first snapshot; also where there is only one.
        Opening = "opening_line",
        /// Neither first nor last.
        Morning = "morning_line",
        /// The last snapshot before tip-off.
        Closing = "closing_line",
    }
}

/// One quote with its provenance. A quote without book, event or snapshot is a placeholder, whatever its number.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Quote {
    /// The vendor's book key, e.g. `draftkings`; none: placeholder.
    pub book: Option<Text>,
    /// The vendor's event id; none: placeholder.
    pub event_id: Option<Text>,
    /// The market.
    pub market: Market,
    /// The line.
    pub line: Line,
    /// Price of the over; none: one-sided.
    pub over: Option<Price>,
    /// Price of the under; none: one-sided.
    pub under: Option<Price>,
    /// When the snapshot was taken; none: placeholder.
    #[serde(default, with = "crate::instant::optional")]
    pub snapshot_at: Option<Timestamp>,
    /// When the book last changed the market, if the source tells.
    #[serde(default, with = "crate::instant::optional")]
    pub market_updated_at: Option<Timestamp>,
    /// True for the book's point nearest to even money; alternates are stored, never judged or chosen.
    pub is_main: bool,
    /// The source that delivered it, e.g. `odds_api`.
    pub source: Text,
}
