//! From offers to rows of the lines table: sides paired, names resolved, the main point marked, each key once.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use proto::tables::LineRow;
use proto::{Code, Line, Market, PlayerLookup, Price};
use rules::lines::{Point, main_point, minutes_before_tip, tags};

use super::Offer;
use crate::ingest::harvest::{EventOffers, Weighted};
use crate::ingest::known::Event;
use crate::ingest::people::People;
use crate::ingest::refuse::{Refusal, Tally};

/// A quote in the making.
struct Quote {
    offer: Offer,
    player: PlayerLookup,
    resolved: bool,
    source_rows: u32,
    is_main: bool,
}

type Key = (String, Market, PlayerLookup, Line);

/// Quotes of a file, on their way into the table.
#[derive(Debug, Default)]
pub(crate) struct Quotes {
    pub(crate) rows: Weighted<LineRow>,
    /// Source rows that repeat another one word for word.
    pub(crate) repeated: u64,
    /// By source: names met in events, and how many of them are players.
    pub(crate) names: BTreeMap<String, (u64, u64)>,
}

/// Turns the offers of one event in one snapshot into rows.
pub(crate) fn assemble(seen: EventOffers, people: &People, out: &mut Quotes, tally: &mut Tally) {
    let EventOffers { event, snapshot_at, offers, source } = seen;
    let mut quotes = pair(&event, offers, &source, people, out, tally);
    mark_main(&mut quotes);
    let minutes_before_tip = minutes_before_tip(snapshot_at, event.tip);
    // Right for the event's first snapshot; what other snapshots make of it is settled at the end of the file.
    let tag = tags(&[snapshot_at], event.tip).pop().flatten();
    for quote in quotes {
        let Offer { book, market, player, point, over, under, updated, .. } = quote.offer;
        let row = LineRow {
            event_id: event.id.clone(),
            book,
            market,
            player_lookup: quote.player,
            player_name: player.display,
            player_resolved: quote.resolved,
            line: point,
            snapshot_at,
            game_id: Some(event.game),
            game_date: event.game.date,
            commence_time: event.commence,
            over_price: over,
            under_price: under,
            is_main: quote.is_main,
            tag,
            minutes_before_tip,
            market_updated_at: updated,
            source: source.clone(),
        };
        out.rows.push(row, quote.source_rows);
    }
}

/// One quote for each (book, market, player, point). Over and under meet here; a row that repeats another is known,
/// one that contradicts it is refused, because nobody can say which of the two the book meant.
fn pair(
    event: &Event,
    offers: Vec<Offer>,
    source: &str,
    people: &People,
    out: &mut Quotes,
    tally: &mut Tally,
) -> Vec<Quote> {
    let mut names: HashMap<PlayerLookup, (PlayerLookup, bool)> = HashMap::new();
    let mut places: HashMap<Key, usize> = HashMap::new();
    let mut quotes: Vec<Quote> = Vec::with_capacity(offers.len());
    for offer in offers {
        let (player, resolved) = match names.entry(offer.player.lookup.clone()) {
            Entry::Occupied(found) => found.get().clone(),
            Entry::Vacant(slot) => slot
                .insert(people.who(&offer.player, &[event.game.away, event.game.home], event.season))
                .clone(),
        };
        let key = (offer.book.clone(), offer.market.clone(), player.clone(), offer.point);
        match places.entry(key) {
            Entry::Vacant(slot) => {
                slot.insert(quotes.len());
                quotes.push(Quote { offer, player, resolved, source_rows: 1, is_main: false });
            }
            Entry::Occupied(at) => merge(&mut quotes[*at.get()], offer, event, out, tally),
        }
    }
    let (met, players) = out.names.entry(source.to_owned()).or_default();
    *met += names.len() as u64;
    *players += names.values().filter(|(_, resolved)| *resolved).count() as u64;
    quotes
}

fn merge(quote: &mut Quote, offer: Offer, event: &Event, out: &mut Quotes, tally: &mut Tally) {
    let fits = |have: &Option<Price>, new: &Option<Price>| have.is_none() || new.is_none() || have == new;
    let adds = |have: &Option<Price>, new: &Option<Price>| have.is_none() && new.is_some();
    let held = &quote.offer;
    if !fits(&held.over, &offer.over) || !fits(&held.under, &offer.under) {
        let text = |p: &Option<Price>| p.as_ref().map_or("none".to_owned(), Price::to_string);
        let excerpt = format!(
            "{} {} {} {} over {} under {}, beside over {} under {}",
            offer.book,
            offer.market,
            offer.player.display,
            offer.point,
            text(&offer.over),
            text(&offer.under),
            text(&held.over),
            text(&held.under),
        );
        let sentence =
            format!("{} quoted {} {} twice in one snapshot", offer.book, offer.market, offer.point);
        let refusal = Refusal::of(Code::DuplicateQuote, sentence);
        tally.refuse(offer.place, refusal, &excerpt, 1, Some(event.game.date));
        return;
    }
    let is_news = adds(&held.over, &offer.over) || adds(&held.under, &offer.under);
    let held = &mut quote.offer;
    held.updated = held.updated.max(offer.updated);
    if is_news {
        held.over = held.over.take().or(offer.over);
        held.under = held.under.take().or(offer.under);
        quote.source_rows += 1;
    } else {
        out.repeated += 1;
    }
}

/// Marks the main point of each book, market and player; a flat price (fantasy operators) decides nothing, so there
/// the smallest point is main.
fn mark_main(quotes: &mut [Quote]) {
    let mut groups: HashMap<(String, Market, PlayerLookup), Vec<usize>> = HashMap::new();
    for (at, quote) in quotes.iter().enumerate() {
        let key = (quote.offer.book.clone(), quote.offer.market.clone(), quote.player.clone());
        groups.entry(key).or_default().push(at);
    }
    for members in groups.values() {
        let points = members.iter().map(|at| {
            let offer = &quotes[*at].offer;
            Point { line: offer.point, over: offer.over.as_ref(), under: offer.under.as_ref() }
        });
        if let Some(main) = main_point(points) {
            quotes[members[main]].is_main = true;
        }
    }
}
