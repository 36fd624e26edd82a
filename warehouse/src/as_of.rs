//! Point in time, as a type: a read that feeds a feature or a line cannot be written without saying *as of when*
//! (incident 77: `<=` instead of `<` put the night's own result into its features).

use jiff::Timestamp;
use jiff::civil::Date;
use proto::league_time::league_date;

/// What may be known about a slate: results of games before `results_before`, quotes and reports up to `at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsOf {
    game_date: Date,
    at: Timestamp,
}

impl AsOf {
    /// What may be known at `at` about the games of `game_date`.
    pub fn new(game_date: Date, at: Timestamp) -> Self {
        Self { game_date, at }
    }

    /// The slate's date.
    pub fn game_date(&self) -> Date {
        self.game_date
    }

    /// Quotes and reports count up to here, quotes also strictly before tip-off.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Result-derived inputs are strictly before this date: the slate's own, or the league date of `at` if that is
    /// earlier, since tonight's games have no result this morning.
    pub fn results_before(&self) -> Date {
        self.game_date.min(league_date(self.at))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn results_end_before_the_slate_and_before_the_as_of() {
        for (game_date, at, before) in [
            ("2026-01-23", "2026-01-23T18:00:00Z", "2026-01-23"),
            ("2026-01-23", "2026-07-01T00:00:00Z", "2026-01-23"),
            ("2026-01-24", "2026-01-23T18:00:00Z", "2026-01-23"),
            ("2026-01-24", "2026-01-24T04:00:00Z", "2026-01-23"),
        ] {
            let as_of = AsOf::new(game_date.parse().unwrap(), at.parse().unwrap());
            assert_eq!(as_of.results_before().to_string(), before, "{game_date} at {at}");
        }
    }
}
