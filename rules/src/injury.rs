//! Does a report still say who plays tonight? Lists that are not kept up must not keep a player out.
//!
//! Some sources say when a player goes on the list and forget to say when he comes off it. A report is over once he
//! has played since, or once it is so old that nobody can stand by it.

use jiff::Timestamp;
use jiff::civil::Date;
use proto::InjuryStatus;
use proto::league_time::league_date;
use proto::tables::InjuryRow;

/// Days a report is believed without a game of the player or a newer report: a lost season is seldom longer.
pub const BELIEVED_DAYS: i32 = 120;

/// A player's availability at the as-of by his newest report and his newest game before it.
pub fn availability(newest: Option<&InjuryRow>, last_played: Option<Date>, as_of: Timestamp) -> InjuryStatus {
    let Some(report) = newest else { return InjuryStatus::Available };
    let reported = league_date(report.reported_at);
    let has_played_since = last_played.is_some_and(|played| played > reported);
    let age_days = reported.until(league_date(as_of)).map_or(i32::MAX, |span| span.get_days());
    if has_played_since || age_days > BELIEVED_DAYS { InjuryStatus::Available } else { report.status }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn a_report_is_over_when_he_has_played_since_or_it_is_old() {
        let report = |date: &str| InjuryRow {
            player_lookup: "someone".parse().unwrap(),
            player_name: "Some One".to_owned(),
            player_resolved: true,
            team: None,
            status: InjuryStatus::Out,
            reported_at: format!("{date}T12:00:00Z").parse().unwrap(),
            note: String::new(),
        };
        let as_of: Timestamp = "2025-11-14T18:00:00Z".parse().unwrap();
        for (reported, last_played, want) in [
            (None, None, InjuryStatus::Available),
            (Some("2025-11-13"), None, InjuryStatus::Out),
            (Some("2025-11-10"), Some("2025-11-10"), InjuryStatus::Out),
            (Some("2025-11-10"), Some("2025-11-12"), InjuryStatus::Available),
            (Some("2025-04-10"), None, InjuryStatus::Available),
        ] {
            let row = reported.map(report);
            let last_played = last_played.map(|date| date.parse().unwrap());
            assert_eq!(availability(row.as_ref(), last_played, as_of), want, "{reported:?} {last_played:?}");
        }
    }
}
