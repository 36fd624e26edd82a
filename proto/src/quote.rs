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

/// Quotes inside records: a list in JSON, in the compact form with what most of them have in common once.
pub(crate) mod together {
    use std::borrow::Cow;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::*;

    /// Quotes, and where they come from.
    #[derive(Serialize, Deserialize)]
    struct Together<'a> {
        origins: Vec<Origin<'a>>,
        quotes: Vec<OfBook<'a>>,
    }

    #[derive(PartialEq, Serialize, Deserialize)]
    struct Origin<'a> {
        event_id: Cow<'a, Option<Text>>,
        market: Cow<'a, Market>,
        source: Cow<'a, Text>,
    }

    #[derive(Serialize, Deserialize)]
    struct OfBook<'a> {
        /// Place among the origins.
        origin: u32,
        book: Cow<'a, Option<Text>>,
        line: Line,
        over: Cow<'a, Option<Price>>,
        under: Cow<'a, Option<Price>>,
        #[serde(with = "crate::instant::optional")]
        snapshot_at: Option<Timestamp>,
        #[serde(with = "crate::instant::optional")]
        market_updated_at: Option<Timestamp>,
        is_main: bool,
    }

    pub(crate) fn serialize<S: Serializer>(quotes: &[Quote], s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            return quotes.serialize(s);
        }
        let mut origins = Vec::new();
        let quotes = quotes.iter().map(|quote| OfBook::of(quote, place_of(&mut origins, quote))).collect();
        Together { origins, quotes }.serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Quote>, D::Error> {
        use serde::de::Error;
        if d.is_human_readable() {
            return Vec::deserialize(d);
        }
        let Together { origins, quotes } = Together::deserialize(d)?;
        let whole = |quote: OfBook<'_>| {
            let origin = origins.get(quote.origin as usize);
            origin.map(|origin| quote.whole(origin)).ok_or_else(|| D::Error::custom("a quote from nowhere"))
        };
        quotes.into_iter().map(whole).collect()
    }

    fn place_of<'a>(origins: &mut Vec<Origin<'a>>, quote: &'a Quote) -> u32 {
        let origin = Origin {
            event_id: Cow::Borrowed(&quote.event_id),
            market: Cow::Borrowed(&quote.market),
            source: Cow::Borrowed(&quote.source),
        };
        let at = origins.iter().rposition(|known| *known == origin).unwrap_or_else(|| {
            origins.push(origin);
            origins.len() - 1
        });
        at as u32
    }

    impl<'a> OfBook<'a> {
        fn of(quote: &'a Quote, origin: u32) -> Self {
            Self {
                origin,
                book: Cow::Borrowed(&quote.book),
                line: quote.line,
                over: Cow::Borrowed(&quote.over),
                under: Cow::Borrowed(&quote.under),
                snapshot_at: quote.snapshot_at,
                market_updated_at: quote.market_updated_at,
                is_main: quote.is_main,
            }
        }

        fn whole(self, origin: &Origin<'_>) -> Quote {
            Quote {
                book: self.book.into_owned(),
                event_id: origin.event_id.as_ref().clone(),
                market: origin.market.as_ref().clone(),
                line: self.line,
                over: self.over.into_owned(),
                under: self.under.into_owned(),
                snapshot_at: self.snapshot_at,
                market_updated_at: self.market_updated_at,
                is_main: self.is_main,
                source: origin.source.as_ref().clone(),
            }
        }
    }
}
