//! Opening, morning, closing: where in an event's day a quote was seen.
//!
//! "Latest" without a bound at tip-off once fed in-play lines to models for months (incident 57), so what is seen at
//! or after tip-off has no tag at all. A tag follows from all snapshots of a market and changes when more arrive: the
//! newest is the closing line only until a newer one is seen.

use jiff::Timestamp;
use proto::QuoteTag;

/// Whole minutes from a snapshot to tip-off, rounded down; negative: in play.
pub fn minutes_before_tip(snapshot_at: Timestamp, tip: Timestamp) -> i64 {
    tip.duration_since(snapshot_at).as_secs().div_euclid(60)
}

/// The tag of each of an event's snapshots of one market, in the order given; none at or after tip-off.
///
/// A single snapshot is the opening line: that it stays whatever comes, while to be the closing line it would have
/// to be the last.
pub fn tags(snapshots: &[Timestamp], tip: Timestamp) -> Vec<Option<QuoteTag>> {
    let before = || snapshots.iter().copied().filter(|at| *at < tip);
    let (first, last) = (before().min(), before().max());
    let tag = |at: &Timestamp| match Some(*at) {
        _ if *at >= tip => None,
        at if at == first => Some(QuoteTag::Opening),
        at if at == last => Some(QuoteTag::Closing),
        _ => Some(QuoteTag::Morning),
    };
    snapshots.iter().map(tag).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use proptest::prelude::*;

    use super::super::samples::{TIP, at};
    use super::*;

    fn named(snapshots: &[&str]) -> Vec<&'static str> {
        let snapshots: Vec<Timestamp> = snapshots.iter().map(|text| at(text)).collect();
        tags(&snapshots, at(TIP)).into_iter().map(|tag| tag.map_or("none", QuoteTag::as_str)).collect()
    }

    #[test]
    fn incident_57_what_is_seen_in_play_has_no_tag() {
        for (snapshots, wanted) in [
            (vec!["2026-01-23T15:00:00Z"], vec!["opening_line"]),
            (vec!["2026-01-23T15:00:00Z", "2026-01-24T00:29:59Z"], vec!["opening_line", "closing_line"]),
            // At the second of tip-off the game is on.
            (
                vec!["2026-01-24T00:30:00Z", "2026-01-23T15:00:00Z", "2026-01-24T01:00:00Z"],
                vec!["none", "opening_line", "none"],
            ),
            (
                vec!["2026-01-23T20:00:00Z", "2026-01-23T22:00:00Z", "2026-01-23T15:00:00Z"],
                vec!["morning_line", "closing_line", "opening_line"],
            ),
            (vec!["2026-01-24T01:00:00Z"], vec!["none"]),
            (vec![], vec![]),
        ] {
            assert_eq!(named(&snapshots), wanted, "{snapshots:?}");
        }
    }

    #[test]
    fn minutes_are_whole_and_negative_in_play() {
        for (seen, minutes) in [
            ("2026-01-23T23:30:00Z", 60),
            ("2026-01-23T23:30:01Z", 59),
            ("2026-01-24T00:30:00Z", 0),
            ("2026-01-24T00:30:01Z", -1),
            ("2026-01-24T00:31:00Z", -1),
        ] {
            assert_eq!(minutes_before_tip(at(seen), at(TIP)), minutes, "{seen}");
        }
    }

    proptest! {
        #[test]
        fn tags_follow_time_and_never_pass_tip_off(minutes in proptest::collection::btree_set(-120i64..900, 0..12)) {
            let tip = at(TIP);
            let seen: Vec<Timestamp> =
                minutes.iter().map(|m| tip - jiff::SignedDuration::from_mins(*m)).collect();
            let found = tags(&seen, tip);
            let before = minutes.iter().filter(|m| **m > 0).count();
            let count = |tag| found.iter().filter(|t| **t == Some(tag)).count();
            prop_assert_eq!(count(QuoteTag::Opening), usize::from(before > 0));
            prop_assert_eq!(count(QuoteTag::Closing), usize::from(before > 1));
            prop_assert_eq!(count(QuoteTag::Morning), before.saturating_sub(2));
            for (at, tag) in seen.iter().zip(&found) {
                prop_assert_eq!(tag.is_some(), *at < tip);
                prop_assert_eq!(tag.is_some(), *at != tip && minutes_before_tip(*at, tip) >= 0);
            }
        }
    }
}
