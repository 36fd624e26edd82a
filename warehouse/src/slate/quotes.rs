//! Each book's newest and earliest main quote of every player, event by event and market by market.

use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use proto::{JobId, Line, Market, PlayerLookup, Price, Quote, Text};
use sqlx::query_scalar;

use super::{LoadSlate, Played, PlayerQuotes, SlateGame, quotes_end};
use crate::error::{Doing, Error, Result};
use crate::history::EventTip;
use crate::sqlite::Conn;
use crate::text;

/// Everything that is asked for. Several connections may read from it at a time; each part is taken by one of them.
pub(super) struct Asked<'a> {
    parts: Vec<Part<'a>>,
    as_of: Timestamp,
    next: AtomicUsize,
}

/// Quotes of one event and market, for a game of the slate.
struct Part<'a> {
    event: &'a EventTip,
    game: &'a SlateGame,
    market: &'a Market,
}

impl<'a> Asked<'a> {
    /// The wanted markets of every event whose game is known.
    pub(super) fn of(played: &'a Played, wanted: &'a LoadSlate) -> Self {
        let game_of =
            |event: &EventTip| played.games.iter().find(|game| Some(game.row.game_id) == event.game_id);
        let events = played.events.iter().filter_map(|event| Some((event, game_of(event)?)));
        let parts = events
            .flat_map(|(event, game)| wanted.markets.iter().map(move |market| Part { event, game, market }));
        Self { parts: parts.collect(), as_of: wanted.as_of, next: AtomicUsize::new(0) }
    }

    /// Reads parts until none is left. While SQLite's thread looks for the quotes of one, those of the one before are
    /// taken in here.
    pub(super) async fn read(&self, conn: &mut Conn) -> Result<BTreeMap<JobId, PlayerQuotes>> {
        let mut quotes = BTreeMap::new();
        let mut before: Option<(&Part<'_>, String)> = None;
        while let Some(part) = self.parts.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let listing = listed(conn, part, self.as_of);
            let reading = async {
                match &before {
                    Some((part, text)) => take_in(&mut quotes, part, text),
                    None => Ok(()),
                }
            };
            let (text, read) = futures::join!(listing, reading);
            read?;
            before = Some((part, text?));
        }
        if let Some((part, text)) = &before {
            take_in(&mut quotes, part, text)?;
        }
        Ok(quotes)
    }
}

async fn listed(conn: &mut Conn, part: &Part<'_>, as_of: Timestamp) -> Result<String> {
    query_scalar(include_str!("../../sql/slate_quotes.sql"))
        .bind(&part.event.event_id)
        .bind(part.market.as_str())
        .bind(text::instant(as_of))
        .bind(text::instant(quotes_end(part.game.tip_off)))
        .fetch_one(conn)
        .await
        .doing("read quotes")
}

fn take_in(quotes: &mut BTreeMap<JobId, PlayerQuotes>, part: &Part<'_>, text: &str) -> Result<()> {
    let game = part.game.row.game_id;
    let found = event_quotes(text, &part.event.event_id, part.market)?;
    add(quotes, found.into_iter().map(|(player, found)| (JobId { player, game }, found)));
    Ok(())
}

/// Adds quotes of other markets or events.
pub(super) fn add(
    quotes: &mut BTreeMap<JobId, PlayerQuotes>,
    more: impl IntoIterator<Item = (JobId, PlayerQuotes)>,
) {
    for (job, found) in more {
        match quotes.entry(job) {
            Entry::Vacant(place) => {
                place.insert(found);
            }
            Entry::Occupied(mut place) => place.get_mut().add(found),
        }
    }
}

/// Puts each player's quotes in order: an aggregate promises none, nor do two connections that share the work.
pub(super) fn sort(quotes: &mut BTreeMap<JobId, PlayerQuotes>) {
    let key = |quote: &'_ Quote| (quote.snapshot_at, quote.line);
    for list in quotes.values_mut().flat_map(|found| [&mut found.quotes, &mut found.openings]) {
        list.sort_by(|a, b| {
            (&a.market, &a.book).cmp(&(&b.market, &b.book)).then_with(|| key(a).cmp(&key(b)))
        });
    }
}

impl PlayerQuotes {
    /// His quotes of another market or event.
    fn add(&mut self, other: PlayerQuotes) {
        self.resolved |= other.resolved;
        self.quotes.extend(other.quotes);
        self.openings.extend(other.openings);
    }
}

/// One element of the list in `slate_quotes.sql`. Flags are 0 or 1 there.
#[derive(serde::Deserialize)]
struct ListedQuote<'a> {
    #[serde(borrow)]
    player_lookup: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    resolved: u8,
    #[serde(borrow)]
    book: Cow<'a, str>,
    half_points: i32,
    over: Option<Price>,
    under: Option<Price>,
    #[serde(borrow)]
    snapshot_at: Cow<'a, str>,
    #[serde(borrow)]
    updated_at: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    is_newest: u8,
    is_opening: u8,
}

/// The instants of an event, which are few: its quotes were seen in some dozen snapshots.
#[derive(Default)]
struct Instants(HashMap<String, Timestamp>);

impl Instants {
    fn of(&mut self, text: &str) -> Result<Timestamp> {
        if let Some(known) = self.0.get(text) {
            return Ok(*known);
        }
        let at =
            text.parse().map_err(|why| Error::Corrupt { table: "lines", why: format!("`{text}`: {why}") })?;
        self.0.insert(text.to_owned(), at);
        Ok(at)
    }
}

/// The quotes of one event and market by player.
fn event_quotes(text: &str, event_id: &str, market: &Market) -> Result<BTreeMap<PlayerLookup, PlayerQuotes>> {
    let unreadable = |why: String| Error::Corrupt { table: "lines", why };
    let event_id = Text::from(event_id);
    let listed: Vec<ListedQuote<'_>> = serde_json::from_str(text).map_err(|e| unreadable(e.to_string()))?;
    let mut instants = Instants::default();
    let mut players: BTreeMap<Cow<'_, str>, PlayerQuotes> = BTreeMap::new();
    for listed in listed {
        let quote = Quote {
            book: Some(Text::from(listed.book)).filter(|book| !book.is_empty()),
            event_id: Some(event_id.clone()).filter(|id| !id.is_empty()),
            market: market.clone(),
            line: Line::from_half_points(listed.half_points),
            over: listed.over,
            under: listed.under,
            snapshot_at: Some(instants.of(&listed.snapshot_at)?),
            market_updated_at: listed.updated_at.map(|at| instants.of(&at)).transpose()?,
            is_main: true,
            source: listed.source.into(),
        };
        let found = players.entry(listed.player_lookup).or_insert_with(|| PlayerQuotes {
            name: listed.name.as_ref().to_owned(),
            resolved: false,
            quotes: Vec::new(),
            openings: Vec::new(),
        });
        if *found.name > *listed.name {
            found.name = listed.name.into_owned();
        }
        found.resolved |= listed.resolved == 1;
        if listed.is_opening == 1 {
            found.openings.push(quote.clone());
        }
        if listed.is_newest == 1 {
            found.quotes.push(quote);
        }
    }
    let keyed = players.into_iter().map(|(player, found)| match player.parse::<PlayerLookup>() {
        Ok(player) => Ok((player, found)),
        Err(why) => Err(unreadable(why.to_string())),
    });
    keyed.collect()
}
