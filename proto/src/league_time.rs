//! The league's clock. `game_date` is the calendar date of tip-off in New York, never a UTC date
//! (incidents 66 and 67); the zone comes from a database compiled in, so a bare container cannot change it.

use std::sync::LazyLock;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::ParseError;

static ZONE: LazyLock<TimeZone> =
    LazyLock::new(|| TimeZone::get("America/New_York").expect("the time-zone database is compiled in"));

/// The league's zone, `America/New_York`.
pub fn zone() -> TimeZone {
    ZONE.clone()
}

/// The league date of an instant: a 22:30 game in Los Angeles belongs to the day it began in New York.
pub fn league_date(at: Timestamp) -> Date {
    at.to_zoned(zone()).date()
}

/// The instant of a wall-clock time in the league's zone; an hour that a DST change skips or repeats resolves
/// as wall clocks do (later, and first, respectively).
pub fn league_instant(at: DateTime) -> Timestamp {
    match at.to_zoned(zone()) {
        Ok(zoned) => zoned.timestamp(),
        Err(_) => Timestamp::MIN,
    }
}

/// The first instant of a league date.
pub fn start_of(date: Date) -> Timestamp {
    league_instant(date.at(0, 0, 0, 0))
}

/// Reads `YYYY-MM-DD`, `TODAY` or `TOMORROW` (league time); the alias never gets past this point (incident 17).
pub fn parse_game_date(text: &str, now: Timestamp) -> Result<Date, ParseError> {
    let today = league_date(now);
    let refuse = || ParseError::new("game date", text, "expected YYYY-MM-DD, TODAY or TOMORROW");
    match text {
        "TODAY" => Ok(today),
        "TOMORROW" => today.checked_add(1.day()).map_err(|_| refuse()),
        _ if text.len() == 10 => text.parse().map_err(|_| refuse()),
        _ => Err(refuse()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn incident_66_league_dates_around_midnight_and_dst() {
        for (utc, date) in [
            ("2026-02-19T00:10:00Z", "2026-02-18"),
            ("2026-01-24T00:30:00Z", "2026-01-23"),
            ("2026-01-24T04:59:59Z", "2026-01-23"),
            ("2026-01-24T05:30:00Z", "2026-01-24"),
            ("2026-03-08T06:59:59Z", "2026-03-08"),
            ("2026-03-09T03:59:59Z", "2026-03-08"),
            ("2026-03-09T04:00:00Z", "2026-03-09"),
            ("2026-11-01T04:00:00Z", "2026-11-01"),
            ("2026-11-02T04:59:59Z", "2026-11-01"),
        ] {
            assert_eq!(league_date(utc.parse().unwrap()).to_string(), date, "{utc}");
        }
    }

    #[test]
    fn incident_17_aliases_become_dates_at_the_edge() {
        let now: Timestamp = "2026-01-24T03:00:00Z".parse().unwrap();
        assert_eq!(parse_game_date("TODAY", now).unwrap().to_string(), "2026-01-23");
        assert_eq!(parse_game_date("TOMORROW", now).unwrap().to_string(), "2026-01-24");
        for wrong in ["today", "YESTERDAY", "2026-1-3", "2026-02-30", "20260123", ""] {
            assert!(parse_game_date(wrong, now).is_err(), "{wrong}");
        }
    }

    #[test]
    fn incident_67_an_evening_game_is_of_its_league_date_on_either_side_of_a_clock_change() {
        for (local, utc) in [
            ("2026-03-07T22:30", "2026-03-08T03:30:00Z"),
            ("2026-03-08T22:30", "2026-03-09T02:30:00Z"),
            ("2025-11-01T22:30", "2025-11-02T02:30:00Z"),
            ("2025-11-02T22:30", "2025-11-03T03:30:00Z"),
        ] {
            let wall: DateTime = local.parse().unwrap();
            let at = league_instant(wall);
            assert_eq!(
                at,
                utc.parse::<Timestamp>().unwrap(),
                "{local}: the wall clock stands, the UTC hour moves"
            );
            assert_eq!(league_date(at), wall.date(), "{local}: never the UTC date");
        }
        // The days of the change have 23 and 25 hours, and each hour is in one of them.
        for (date, hours) in [("2026-03-08", 23), ("2025-11-02", 25), ("2026-01-23", 24)] {
            let date: Date = date.parse().unwrap();
            let length = start_of(date.tomorrow().unwrap()).duration_since(start_of(date));
            assert_eq!(length.as_hours(), hours, "{date}");
        }
    }
}
