//! How dates and instants stand in the tables.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::fmt::temporal::DateTimePrinter;

/// Six decimals always, so that the order of the texts is the order of the instants.
static PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

/// An instant as stored: RFC 3339 in UTC with microseconds, the rest cut off.
pub(crate) fn instant(at: Timestamp) -> String {
    PRINTER.timestamp_to_string(&at)
}

/// A date as stored: ISO.
pub(crate) fn date(on: Date) -> String {
    on.to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn text_order_is_time_order() {
        let texts: Vec<String> = [
            "2026-01-23T18:00:00Z",
            "2026-01-23T18:00:00.000001Z",
            "2026-01-23T18:00:00.5Z",
            "2026-01-23T18:00:01Z",
        ]
        .iter()
        .map(|text| instant(text.parse().unwrap()))
        .collect();
        assert!(texts.windows(2).all(|pair| pair[0] < pair[1]), "{texts:?}");
        assert_eq!(texts[0], "2026-01-23T18:00:00.000000Z");
        assert_eq!(instant("2026-01-23T18:00:00.1234569Z".parse().unwrap()), "2026-01-23T18:00:00.123456Z");
    }
}
