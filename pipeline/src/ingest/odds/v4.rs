//! The Odds API v4 as JSON: an event with its books, markets and outcomes, bare or in the historical wrapper.
//!
//! Each level is kept as raw text until its own turn, so a broken outcome costs itself and not its event, and a
//! price is read as the book wrote it, never through a float.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::gamelines::{GAME_MARKETS, GameOutcome, assemble_game, is_unused_market};
use super::pieces::{Piece, Pieces};
use super::sheet::stamp;
use super::{ODDS_API, Offer, SeenAt};
use crate::ingest::directory::book_key;
use crate::ingest::harvest::{EventOffers, Harvest};
use crate::ingest::known::{Event, Known, When};
use crate::ingest::refuse::{MALFORMED, NOT_USED, Place, Refusal};
use crate::ingest::source::Source;
use crate::ingest::table::{Damage, instant, player_market, player_name, player_point, point, price};
use proto::Code;

/// The only sport there is.
const SPORT: &str = "basketball_nba";

#[derive(Deserialize)]
struct Wrapper<'a> {
    timestamp: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawEvent<'a> {
    id: Option<String>,
    sport_key: Option<String>,
    commence_time: Option<String>,
    home_team: Option<String>,
    away_team: Option<String>,
    #[serde(borrow)]
    bookmakers: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct RawBook<'a> {
    key: Option<String>,
    title: Option<String>,
    last_update: Option<String>,
    #[serde(borrow, default)]
    markets: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawMarket<'a> {
    key: Option<String>,
    last_update: Option<String>,
    #[serde(borrow, default)]
    outcomes: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawOutcome<'a> {
    name: Option<String>,
    description: Option<String>,
    #[serde(borrow)]
    price: Option<&'a RawValue>,
    #[serde(borrow)]
    point: Option<&'a RawValue>,
}

/// True when the beginning of a file looks like v4: an event or its wrapper somewhere at the front.
pub(crate) fn looks_like_v4(head: &str) -> bool {
    let names = |all: &[&str]| all.iter().all(|name| head.contains(&format!("\"{name}\"")));
    names(&["commence_time", "home_team", "away_team", "id"])
}

/// Reads a file of events.
pub(crate) fn events(source: &Source, head: &[u8], known: &Known, out: &mut Harvest) -> Result<(), Damage> {
    let reader = source.reader().map_err(|e| Damage::of(&e))?;
    let mut pieces = Pieces::new(head, reader);
    let file = File { known, stamp: name_stamp(&source.name) };
    while let Some(Piece { number, text }) = pieces.next()? {
        match text {
            Ok(text) => file.value(number, &text, out),
            Err((refusal, excerpt)) => {
                out.tally.read += 1;
                out.tally.refuse(Some(number), refusal, &excerpt, 1, None);
            }
        }
        out.flow()?;
    }
    Ok(())
}

/// `…20240329_185900…` in a file's name: when it was written, UTC.
fn name_stamp(name: &str) -> Option<Timestamp> {
    (0..name.len()).find_map(|at| stamp(name.get(at..at + 15)?))
}

struct File<'a> {
    known: &'a Known,
    stamp: Option<Timestamp>,
}

/// An outcome with what stands above it.
struct Flat<'a> {
    book: Option<String>,
    market: Option<String>,
    updated: Result<Option<Timestamp>, Refusal>,
    outcome: &'a RawValue,
}

impl File<'_> {
    fn value(&self, number: i64, text: &str, out: &mut Harvest) {
        match serde_json::from_str::<Wrapper<'_>>(text) {
            Ok(Wrapper { timestamp, data: Some(data) }) => match snapshot(timestamp.as_deref()) {
                Ok(at) => self.wrapped(number, data.get(), SeenAt::Instant(at), out),
                Err(refusal) => self.refuse_value(number, refusal, text, out),
            },
            Ok(_) => self.event(number, text, SeenAt::NewestUpdate(self.stamp), out),
            Err(e) => {
                self.refuse_value(number, Refusal::new(MALFORMED, format!("no JSON object: {e}")), text, out);
            }
        }
    }

    /// The wrapper holds one event, or a list of them.
    fn wrapped(&self, number: i64, data: &str, seen_at: SeenAt, out: &mut Harvest) {
        match serde_json::from_str::<Vec<&RawValue>>(data) {
            Ok(list) => list.iter().for_each(|event| self.event(number, event.get(), seen_at, out)),
            Err(_) => self.event(number, data, seen_at, out),
        }
    }

    fn refuse_value(&self, number: i64, refusal: Refusal, text: &str, out: &mut Harvest) {
        out.tally.read += 1;
        out.tally.refuse(Some(number), refusal, text, 1, None);
    }

    fn event(&self, number: i64, text: &str, seen_at: SeenAt, out: &mut Harvest) {
        let raw: RawEvent<'_> = match serde_json::from_str(text) {
            Ok(raw) => raw,
            Err(e) => {
                let refusal = Refusal::new(MALFORMED, format!("no event: {e}"));
                return self.refuse_value(number, refusal, text, out);
            }
        };
        let place = Some(number);
        let flat = flatten(raw.bookmakers.as_deref().unwrap_or_default(), place, out);
        let event = match self.resolve(&raw).and_then(|event| out.claim(&event).map(|()| event)) {
            Ok(event) => event,
            Err(refusal) => {
                let rows = (flat.len() as u64).max(1);
                out.tally.read += rows;
                return out.tally.refuse(place, refusal, text, rows, None);
            }
        };
        if flat.is_empty() {
            out.tally.read += 1;
            out.chunk.games.push(self.known.announced(&event), 1);
            return;
        }
        out.tally.read += flat.len() as u64;
        self.quotes(place, &event, seen_at, flat, out);
    }

    fn resolve(&self, raw: &RawEvent<'_>) -> Result<Event, Refusal> {
        if let Some(sport) = raw.sport_key.as_deref().filter(|sport| *sport != SPORT) {
            return Err(Refusal::of(
                Code::GameUnresolved,
                format!("`sport_key` is `{sport}`, only {SPORT} is read"),
            ));
        }
        let need = |field: &str, text: &Option<String>| {
            text.clone().filter(|t| !t.trim().is_empty()).ok_or_else(|| Refusal::missing(field))
        };
        let id = need("id", &raw.id).map_err(|_| {
            Refusal::of(Code::Placeholder, "`id` is missing: no event stands behind these quotes")
        })?;
        let commence = need("commence_time", &raw.commence_time)?;
        let at = instant("commence_time", &commence)?;
        let (home, away) = (need("home_team", &raw.home_team)?, need("away_team", &raw.away_team)?);
        self.known.event(Some(&id), &home, &away, When::Commence(at))
    }

    fn quotes(&self, place: Place, event: &Event, seen_at: SeenAt, flat: Vec<Flat<'_>>, out: &mut Harvest) {
        let updates: Vec<Timestamp> =
            flat.iter().filter_map(|f| f.updated.as_ref().ok().copied().flatten()).collect();
        let date = Some(event.game.date);
        let Some(at) = seen_at.resolve(event.tip, updates.iter().copied()) else {
            let sentence = "neither the event nor its markets nor the file's name tell when this was seen";
            let refusal = Refusal::of(Code::Placeholder, sentence);
            return out.tally.refuse(place, refusal, &event.id, flat.len() as u64, date);
        };
        let (mut offers, mut outcomes) = (Vec::with_capacity(flat.len()), Vec::new());
        for one in flat {
            let excerpt = |one: &Flat<'_>| {
                let (book, market) = (one.book.as_deref(), one.market.as_deref());
                format!("{} {} {}", book.unwrap_or("?"), market.unwrap_or("?"), one.outcome.get())
            };
            match take(place, &one) {
                Ok(Taken::Offer(offer)) => offers.push(offer),
                Ok(Taken::Game(outcome)) => outcomes.push(outcome),
                Ok(Taken::Unused) => out.tally.count(NOT_USED, 1),
                Err(refusal) => {
                    let text = excerpt(&one);
                    out.tally.refuse(place, refusal, &text, 1, date);
                }
            }
        }
        if !outcomes.is_empty() {
            assemble_game(event, at, outcomes, ODDS_API, &self.known.teams, out);
        }
        if !offers.is_empty() {
            let event = event.clone();
            let source = ODDS_API.to_owned();
            out.chunk.events.push(EventOffers { event, snapshot_at: at, offers, source });
        }
    }
}

/// All outcomes of an event with their book and market. A book or market that is none costs itself.
fn flatten<'a>(books: &[&'a RawValue], place: Place, out: &mut Harvest) -> Vec<Flat<'a>> {
    let mut flat = Vec::new();
    let mut refuse = |what: &str, e: serde_json::Error, text: &str| {
        out.tally.read += 1;
        out.tally.refuse(place, Refusal::new(MALFORMED, format!("no {what}: {e}")), text, 1, None);
    };
    for raw in books {
        let book: RawBook<'a> = match serde_json::from_str(raw.get()) {
            Ok(book) => book,
            Err(e) => {
                refuse("bookmaker", e, raw.get());
                continue;
            }
        };
        let name = book.key.as_deref().or(book.title.as_deref()).and_then(book_key);
        for raw in book.markets {
            let market: RawMarket<'a> = match serde_json::from_str(raw.get()) {
                Ok(market) => market,
                Err(e) => {
                    refuse("market", e, raw.get());
                    continue;
                }
            };
            let updated = market.last_update.as_deref().or(book.last_update.as_deref());
            let updated = updated.map(|text| instant("last_update", text)).transpose();
            flat.extend(market.outcomes.into_iter().map(|outcome| Flat {
                book: name.clone(),
                market: market.key.clone(),
                updated: updated.clone(),
                outcome,
            }));
        }
    }
    flat
}

enum Taken {
    Offer(Offer),
    Game(GameOutcome),
    Unused,
}

fn take(place: Place, one: &Flat<'_>) -> Result<Taken, Refusal> {
    let book =
        one.book.clone().ok_or_else(|| Refusal::of(Code::Placeholder, "no book stands behind this quote"))?;
    let market = one.market.as_deref().ok_or_else(|| Refusal::missing("markets.key"))?;
    if is_unused_market(market) {
        return Ok(Taken::Unused);
    }
    let outcome: RawOutcome<'_> = serde_json::from_str(one.outcome.get())
        .map_err(|e| Refusal::new(MALFORMED, format!("no outcome: {e}")))?;
    let name = outcome.name.as_deref().ok_or_else(|| Refusal::missing("name"))?;
    let at = plain(outcome.point, "point")?;
    if GAME_MARKETS.contains(&market) {
        let at = point("point", at)?;
        let (market, name) = (market.to_owned(), name.to_owned());
        return Ok(Taken::Game(GameOutcome { place, book, market, name, point: at }));
    }
    let market = player_market(market)?;
    let at = player_point("point", at)?;
    let price = price("price", plain(outcome.price, "price")?)?;
    let (over, under) = match name {
        "Over" => (Some(price), None),
        "Under" => (None, Some(price)),
        other => return Err(Refusal::bad("name", other, "Over or Under")),
    };
    let player = outcome.description.as_deref().ok_or_else(|| Refusal::missing("description"))?;
    let player = player_name("description", player)?;
    let updated = one.updated.clone()?;
    Ok(Taken::Offer(Offer { place, book, market, player, point: at, over, under, updated }))
}

/// A number as it was written, with or without quotes.
fn plain<'a>(raw: Option<&'a RawValue>, field: &str) -> Result<&'a str, Refusal> {
    match raw.map(|raw| raw.get().trim_matches('"').trim()) {
        None | Some("null" | "") => Err(Refusal::missing(field)),
        Some(text) => Ok(text),
    }
}

fn snapshot(text: Option<&str>) -> Result<Timestamp, Refusal> {
    instant("timestamp", text.ok_or_else(|| Refusal::missing("timestamp"))?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn file_names_may_carry_the_snapshot() {
        for (name, at) in [
            ("20240329_185900-snap-1859.json", Some("2024-03-29T18:59:00Z")),
            ("odds-20240329_185900.json.gz", Some("2024-03-29T18:59:00Z")),
            ("event_odds_2024-03-29.json", None),
            ("é20240329_185900", Some("2024-03-29T18:59:00Z")),
        ] {
            assert_eq!(name_stamp(name).map(|t| t.to_string()).as_deref(), at, "{name}");
        }
    }
}
