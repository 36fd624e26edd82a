//! Seasons where no source names them.

use jiff::civil::Date;
use proto::SeasonPhase;

/// Calendar year in which the season of a date began. A season that runs into late summer (2020) is named by the
/// schedule, which is asked first.
pub(crate) fn season_of(date: Date) -> i16 {
    if date.month() >= 8 { date.year() } else { date.year() - 1 }
}

/// Reads `2024-25`, `24-25` or `2024`.
pub(crate) fn parse_season(text: &str) -> Option<i16> {
    let year: i16 = text.split('-').next()?.parse().ok()?;
    match year {
        0..=99 => Some(2000 + year),
        1946..=2100 => Some(year),
        _ => None,
    }
}

/// Reads a season type as box-score sources write it.
pub(crate) fn parse_phase(text: &str) -> Option<SeasonPhase> {
    match text.to_ascii_lowercase().replace([' ', '-', '_'], "").as_str() {
        "preseason" => Some(SeasonPhase::Preseason),
        "regular" | "regularseason" => Some(SeasonPhase::Regular),
        "allstar" => Some(SeasonPhase::AllStar),
        "playoffs" | "postseason" => Some(SeasonPhase::Playoffs),
        "playin" => Some(SeasonPhase::PlayIn),
        "nbacupfinal" | "cupfinal" => Some(SeasonPhase::CupFinal),
        _ => None,
    }
}

/// What a game is most likely part of when only its date is known.
pub(crate) fn likely_phase(date: Date) -> SeasonPhase {
    match (date.month(), date.day()) {
        (4, 19..) | (5 | 6, _) => SeasonPhase::Playoffs,
        _ => SeasonPhase::Regular,
    }
}

/// True for games that season averages count: neither preseason nor exhibition, nor the cup final.
pub(crate) fn counts_for_season(phase: SeasonPhase) -> bool {
    matches!(phase, SeasonPhase::Regular | SeasonPhase::Playoffs | SeasonPhase::PlayIn)
}

/// True for games that tell how a player plays.
pub(crate) fn is_competitive(phase: SeasonPhase) -> bool {
    counts_for_season(phase) || phase == SeasonPhase::CupFinal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seasons_are_named_by_the_year_they_begin() {
        for (text, year) in
            [("2024-25", Some(2024)), ("24-25", Some(2024)), ("1999-00", Some(1999)), ("x", None)]
        {
            assert_eq!(parse_season(text), year, "{text}");
        }
        assert_eq!(season_of(Date::constant(2025, 10, 21)), 2025);
        assert_eq!(season_of(Date::constant(2026, 4, 1)), 2025);
    }

    #[test]
    fn season_types_as_sources_write_them() {
        assert_eq!(parse_phase("playin"), Some(SeasonPhase::PlayIn));
        assert_eq!(parse_phase("nbacup_final"), Some(SeasonPhase::CupFinal));
        assert_eq!(parse_phase("Regular Season"), Some(SeasonPhase::Regular));
        assert_eq!(parse_phase("summer"), None);
        assert_eq!(likely_phase(Date::constant(2025, 5, 10)), SeasonPhase::Playoffs);
        assert_eq!(likely_phase(Date::constant(2025, 12, 10)), SeasonPhase::Regular);
    }
}
