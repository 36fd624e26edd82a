//! What is said to have been seen, written or played later than now: a clock is wrong, the source's or ours.
//!
//! Such a row is worse than a missing one. A quote from the future is newer than every honest one and would make them look
//! stale, and until its hour comes nothing reads it, so nobody would notice. It is refused, kept in the quarantine, and
//! goes in when its file is ingested again after that hour.

use jiff::{SignedDuration, Timestamp};
use proto::league_time::league_date;

use super::harvest::{Chunk, EventOffers};
use super::refuse::{CLOCK_AHEAD, Refusal, Tally};

/// How far two honest clocks may be apart.
const SLACK: SignedDuration = SignedDuration::from_mins(10);

/// Takes what lies ahead of `now` out of a chunk and counts it as refused.
pub(super) fn refuse_ahead(chunk: &mut Chunk, now: Timestamp, tally: &mut Tally) {
    let limit = now.saturating_add(SLACK).unwrap_or(Timestamp::MAX);
    let today = league_date(limit);
    let ahead = |what: &str, at: Timestamp| {
        (at > limit)
            .then(|| Refusal::new(CLOCK_AHEAD, format!("{what} at {at}, now it is {now}: a clock is wrong")))
    };
    let unplayed = |date| {
        (date > today).then(|| {
            Refusal::new(
                CLOCK_AHEAD,
                format!("a result of {date}, today is {today}: a clock or a date is wrong"),
            )
        })
    };
    for (row, weight, refusal) in
        chunk.injuries.take_wrong(|(row, _)| ahead("it was reported", row.reported_at))
    {
        tally.refuse(None, refusal, &row.1.display, u64::from(weight), None);
    }
    for (row, weight, refusal) in chunk.game_lines.take_wrong(|row| ahead("it was seen", row.snapshot_at)) {
        let excerpt = format!("{} {}", row.book, row.game_id);
        tally.refuse(None, refusal, &excerpt, u64::from(weight), Some(row.game_id.date));
    }
    for (row, weight, refusal) in chunk.player_games.take_wrong(|row| unplayed(row.game_id.date)) {
        let excerpt = format!("{} {}", row.player_name, row.game_id);
        tally.refuse(None, refusal, &excerpt, u64::from(weight), Some(row.game_id.date));
    }
    for (row, weight, refusal) in chunk.team_games.take_wrong(|row| unplayed(row.game_id.date)) {
        let excerpt = format!("{} {}", row.team, row.game_id);
        tally.refuse(None, refusal, &excerpt, u64::from(weight), Some(row.game_id.date));
    }
    // A game whose results were all refused was not played; as a game to come it is for the schedule to announce.
    chunk.implied_games.retain(|game| game.game_id.date <= today || game.status != proto::GameStatus::Final);
    chunk.events.iter_mut().for_each(|event| offers_ahead(event, limit, now, tally));
    chunk.events.retain(|event| !event.offers.is_empty());
}

fn offers_ahead(seen: &mut EventOffers, limit: Timestamp, now: Timestamp, tally: &mut Tally) {
    let is_ahead = |updated: Option<Timestamp>| updated.is_some_and(|at| at > limit);
    let mut source_is_ahead = seen.snapshot_at > limit;
    // One book's clock must not make the others' quotes look later than they are: where the snapshot is the newest update,
    // it becomes the newest that can be.
    if source_is_ahead && seen.offers.iter().any(|offer| offer.updated == Some(seen.snapshot_at)) {
        let newest = seen.offers.iter().filter_map(|offer| offer.updated).filter(|at| *at <= limit).max();
        source_is_ahead = newest.is_none();
        seen.snapshot_at = newest.unwrap_or(seen.snapshot_at);
    }
    let offers = std::mem::take(&mut seen.offers);
    for offer in offers {
        let (what, at) = match offer.updated.filter(|_| is_ahead(offer.updated)) {
            Some(updated) => ("it was changed", updated),
            None if source_is_ahead => ("it was seen", seen.snapshot_at),
            None => {
                seen.offers.push(offer);
                continue;
            }
        };
        let refusal = Refusal::new(CLOCK_AHEAD, format!("{what} at {at}, now it is {now}: a clock is wrong"));
        let excerpt = format!("{} {} {} {}", offer.book, offer.market, offer.player.display, offer.point);
        tally.refuse(offer.place, refusal, &excerpt, 1, Some(seen.event.game.date));
    }
}
