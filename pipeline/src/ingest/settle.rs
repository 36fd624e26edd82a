//! What follows from an event's quotes, written with them: tags, minutes before tip-off, summaries of the books.
//!
//! All of it can be derived again at any time from the quotes and the schedule, and is, for exactly the events that a
//! file touches: a later snapshot turns the closing line into a morning line, a moved tip-off turns a quote into one in
//! play. Nothing here is another truth about a quote, so when a row went in does not change.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proto::{GameKey, Market, PlayerLookup};
use rules::lines::{BookLine, LinePolicy, LineSummary, minutes_before_tip, summarise, tags};
use warehouse::{EventSnapshot, IngestTransaction, MainQuote, SummaryRow};

use super::facts::closing;
use crate::error::Result;

/// Which snapshots of an event changed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Snapshots {
    These(BTreeSet<Timestamp>),
    All,
}

/// Events whose quotes, names or tip-off changed.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    events: BTreeMap<String, (GameKey, Snapshots)>,
}

impl Touched {
    /// Quotes of one snapshot went in.
    pub(crate) fn snapshot(&mut self, event_id: &str, game: GameKey, at: Timestamp) {
        match self.events.get_mut(event_id) {
            Some((known_as, Snapshots::These(these))) => {
                *known_as = game;
                these.insert(at);
            }
            Some((_, Snapshots::All)) => {}
            None => {
                let these = Snapshots::These(BTreeSet::from([at]));
                self.events.insert(event_id.to_owned(), (game, these));
            }
        }
    }

    /// Everything of an event is to be looked at.
    pub(crate) fn event(&mut self, event_id: String, game: GameKey) {
        self.events.insert(event_id, (game, Snapshots::All));
    }
}

/// Brings tags, minutes and summaries of the touched events up to date, in the transaction that touched them. Books count
/// as the policy says, so that a summary never differs from what the gates go by.
pub(crate) async fn settle(tx: &mut IngestTransaction, touched: &Touched, policy: &LinePolicy) -> Result<()> {
    for (event_id, (game, changed)) in &touched.events {
        let snapshots = tx.snapshots_of(event_id).await?;
        let Some(commence) = newest_commence(&snapshots) else { continue };
        let tip = tx.tip_off_of(*game).await?.map_or(commence, |scheduled| scheduled.min(commence));
        // The vendor may have told another tip-off than before: then everything of the event follows.
        let has_moved =
            snapshots.iter().any(|s| s.minutes_before_tip != minutes_before_tip(s.snapshot_at, tip));
        retag(tx, event_id, &snapshots, tip).await?;
        // The source of closing lines knows dates only, so their moment is nominal: before every tip-off that was ever told, or
        // whoever knows only an earlier one would not see them.
        let earliest = snapshots.iter().map(|s| s.commence_time).min().map_or(tip, |told| told.min(tip));
        tx.close_before(*game, closing::SOURCE, earliest).await?;
        let changed = if has_moved { &Snapshots::All } else { changed };
        if *changed == Snapshots::All {
            tx.drop_summaries_from(event_id, tip).await?;
        }
        let is_changed = |at: &Timestamp| match changed {
            Snapshots::These(these) => these.contains(at),
            Snapshots::All => true,
        };
        let mut before_tip = snapshots.iter().map(|s| s.snapshot_at).filter(|at| is_changed(at) && *at < tip);
        let Some(first) = before_tip.clone().min() else { continue };
        let last = before_tip.by_ref().max().unwrap_or(first);
        let mut quotes = tx.main_quotes(event_id, first, last).await?;
        quotes.retain(|quote| is_changed(&quote.snapshot_at) && quote.snapshot_at < tip);
        tx.put_summaries(&summaries(event_id, *game, tip, &quotes, policy)).await?;
    }
    Ok(())
}

/// When the event begins by its newest snapshot; of two markets that differ the earlier.
fn newest_commence(snapshots: &[EventSnapshot]) -> Option<Timestamp> {
    let newest = snapshots.iter().map(|s| s.snapshot_at).max()?;
    snapshots.iter().filter(|s| s.snapshot_at == newest).map(|s| s.commence_time).min()
}

/// Gives each snapshot of each market its tag and minutes where it does not have them.
async fn retag(
    tx: &mut IngestTransaction,
    event_id: &str,
    snapshots: &[EventSnapshot],
    tip: Timestamp,
) -> Result<()> {
    for of_market in snapshots.chunk_by(|a, b| a.market == b.market) {
        let seen: Vec<Timestamp> = of_market.iter().map(|s| s.snapshot_at).collect();
        for (snapshot, tag) in of_market.iter().zip(tags(&seen, tip)) {
            let minutes = minutes_before_tip(snapshot.snapshot_at, tip);
            let is_settled =
                snapshot.is_uniform && snapshot.tag == tag && snapshot.minutes_before_tip == minutes;
            if !is_settled {
                tx.retag(event_id, snapshot, tag, minutes).await?;
            }
        }
    }
    Ok(())
}

/// One summary for each player, market and snapshot in which a book that counts quotes him.
fn summaries(
    event_id: &str,
    game: GameKey,
    tip: Timestamp,
    quotes: &[MainQuote],
    policy: &LinePolicy,
) -> Vec<SummaryRow> {
    // Markets never meet: the market is part of the key (incident 58).
    let mut groups: BTreeMap<(&Market, &PlayerLookup, Timestamp), Vec<BookLine<'_>>> = BTreeMap::new();
    for quote in quotes {
        let line = BookLine {
            book: &quote.book,
            line: quote.line,
            over: quote.over.as_ref(),
            under: quote.under.as_ref(),
        };
        groups.entry((&quote.market, &quote.player_lookup, quote.snapshot_at)).or_default().push(line);
    }
    groups
        .into_iter()
        .filter_map(|((market, player, at), books)| {
            let summary = summarise(books, policy)?;
            let minutes = minutes_before_tip(at, tip);
            Some(row(event_id, game, market, player, (at, minutes), summary))
        })
        .collect()
}

fn row(
    event_id: &str,
    game: GameKey,
    market: &Market,
    player: &PlayerLookup,
    (snapshot_at, minutes_before_tip): (Timestamp, i64),
    summary: LineSummary,
) -> SummaryRow {
    SummaryRow {
        event_id: event_id.to_owned(),
        market: market.clone(),
        player_lookup: player.clone(),
        snapshot_at,
        game_id: game,
        minutes_before_tip,
        num_books: i64::try_from(summary.num_books).unwrap_or(i64::MAX),
        median_line: summary.median_line,
        line_spread: summary.line_spread,
        min_line: summary.min_line,
        max_line: summary.max_line,
        outliers: summary.outliers,
        juice_skew: summary.juice_skew,
        sharp_line: summary.sharp_line,
        soft_line: summary.soft_line,
        no_vig_line: summary.no_vig_line,
        no_vig_over: summary.no_vig_over,
    }
}
