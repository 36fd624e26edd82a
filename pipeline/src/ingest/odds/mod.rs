//! Odds: every shape becomes [`Offer`]s of one event in one snapshot, and one function makes quotes of them.

pub(crate) mod assemble;
pub(crate) mod gamelines;
pub(crate) mod pieces;
pub(crate) mod sheet;
pub(crate) mod v4;

use jiff::Timestamp;
use proto::{Line, Market, PlayerName, Price};

use super::refuse::Place;

/// The vendor behind every odds shape known so far.
pub(crate) const ODDS_API: &str = "odds_api";
/// The same vendor's list of daily-fantasy operators, whose prices carry no information.
pub(crate) const ODDS_API_DFS: &str = "odds_api_dfs";

/// One point of one player by one book: both sides where the source pairs them, else one.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) place: Place,
    pub(crate) book: String,
    pub(crate) market: Market,
    pub(crate) player: PlayerName,
    pub(crate) point: Line,
    pub(crate) over: Option<Price>,
    pub(crate) under: Option<Price>,
    pub(crate) updated: Option<Timestamp>,
}

/// When an event was looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SeenAt {
    /// The source says so.
    Instant(Timestamp),
    /// The source has a date at most: the event's newest market update before tip-off, else this instant.
    NewestUpdate(Option<Timestamp>),
}

impl SeenAt {
    /// The snapshot of an event whose market updates are these. Updates after tip-off count only when there is no
    /// other: then the quotes are in play, and the snapshot must not hide it (incident 57).
    pub(crate) fn resolve(
        self,
        tip: Timestamp,
        updates: impl Iterator<Item = Timestamp> + Clone,
    ) -> Option<Timestamp> {
        match self {
            Self::Instant(at) => Some(at),
            Self::NewestUpdate(otherwise) => {
                updates.clone().filter(|at| *at < tip).max().or_else(|| updates.max()).or(otherwise)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn incident_57_a_snapshot_is_the_newest_update_before_tip_off() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let tip = at("2024-03-29T23:10:00Z");
        let (early, late, in_play) =
            (at("2024-03-29T18:00:00Z"), at("2024-03-29T22:00:00Z"), at("2024-03-29T23:40:00Z"));
        let newest = SeenAt::NewestUpdate(Some(early));
        assert_eq!(newest.resolve(tip, [early, late, in_play].into_iter()), Some(late));
        assert_eq!(newest.resolve(tip, [in_play].into_iter()), Some(in_play), "in play stays in play");
        assert_eq!(newest.resolve(tip, std::iter::empty()), Some(early));
        assert_eq!(SeenAt::NewestUpdate(None).resolve(tip, std::iter::empty()), None);
        assert_eq!(SeenAt::Instant(early).resolve(tip, [late].into_iter()), Some(early));
    }
}
