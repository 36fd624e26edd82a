//! Odds as tables: paired (one row a quote) or by side (one row an outcome), with every way these sources have of
//! saying when they looked.
//!
//! Rows of one event and snapshot may stand anywhere in the file (one source sorts by book). A first pass notes where
//! each group ends; the second pass keeps a group only until then. A file that is sorted by day stays flat in memory.

use std::collections::HashMap;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use proto::{Market, league_time};

use super::gamelines::{GAME_MARKETS, GameOutcome, assemble_game, is_unused_market};
use super::{ODDS_API, ODDS_API_DFS, Offer, SeenAt};
use crate::ingest::directory::book_key;
use crate::ingest::harvest::{EventOffers, Harvest};
use crate::ingest::known::{Event, Known, When};
use crate::ingest::refuse::{BAD_FIELD, NOT_USED, Refusal, TRUNCATED};
use crate::ingest::source::Source;
use crate::ingest::table::{
    Column, Damage, Header, Next, Row, Table, columns, instant, is_of_the_league, player_market,
};

columns!(struct Columns {
    event_id = "event_id",
    commence = "commence_time",
    game_date = "game_date_et",
    event_date = "event_date",
    home = "home_team",
    away = "away_team",
    book = "bookmaker",
    book_key = "bookmaker_key",
    market = "market",
    market_key = "market_key",
    player = "player",
    player_name = "player_name",
    description = "outcome_description",
    line = "line",
    point = "point",
    outcome_point = "outcome_point",
    over = "over_price",
    under = "under_price",
    side = "side",
    outcome_name = "outcome_name",
    price = "price",
    outcome_price = "outcome_price",
    updated = "market_last_update",
    book_updated = "last_update",
    file_date = "snapshot_file_date",
    file_date_us = "source_file_mmddyyyy",
    file_stamp = "snapshot_file",
    utc_stamp = "snapshot_utc",
    instant = "snapshot_or_update_utc",
    naive = "timestamp",
    data_source = "data_source",
});

/// How a table says when it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Snapshot {
    /// `2024-03-29`, or `03_29_2024`: a date at most.
    FileDate,
    FileDateUs,
    /// `20251021_170000`, UTC.
    Stamp,
    /// RFC 3339.
    Instant,
    /// Without an offset, one for each row: the file's own moment; taken for UTC.
    Naive,
}

/// A table of odds as its header describes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    c: Columns,
    snapshot: Snapshot,
    paired: bool,
    /// True for a table that names no market because it holds one only.
    is_pra_only: bool,
}

impl Shape {
    /// The shape of a header, if it is one of odds.
    pub(crate) fn of(header: &Header) -> Option<Self> {
        let has = |name: &str| header.find(name).is_some();
        let snapshot = [
            ("snapshot_file_date", Snapshot::FileDate),
            ("source_file_mmddyyyy", Snapshot::FileDateUs),
            ("snapshot_file", Snapshot::Stamp),
            ("snapshot_utc", Snapshot::Stamp),
            ("snapshot_or_update_utc", Snapshot::Instant),
            ("timestamp", Snapshot::Naive),
        ]
        .into_iter()
        .find_map(|(name, kind)| has(name).then_some(kind))?;
        let teams = has("home_team") && has("away_team");
        let book = has("bookmaker") || has("bookmaker_key");
        let paired = has("over_price") && has("under_price");
        let sided = (has("side") || has("outcome_name")) && (has("price") || has("outcome_price"));
        let date = has("commence_time") || has("game_date_et") || has("event_date");
        let market = has("market") || has("market_key");
        let is_pra_only = !market && has("event_date") && has("player_name") && snapshot == Snapshot::Naive;
        let fits = teams && book && date && (paired || sided) && (market || is_pra_only);
        fits.then(|| Self { c: Columns::of(header), snapshot, paired, is_pra_only })
    }

    fn first<'a>(&self, row: &Row<'a>, columns: &[Column]) -> Result<&'a str, Refusal> {
        columns.iter().find_map(|c| row.opt(*c)).map_or_else(|| row.text(columns[0]), Ok)
    }

    /// What the rows of one event and snapshot have in common, as text.
    fn group_key(&self, row: &Row<'_>, key: &mut String) {
        let c = &self.c;
        key.clear();
        let taken = match self.snapshot {
            Snapshot::FileDate => row.opt(c.file_date),
            Snapshot::FileDateUs => row.opt(c.file_date_us),
            Snapshot::Stamp => row.opt(c.file_stamp).or_else(|| row.opt(c.utc_stamp)),
            Snapshot::Instant => row.opt(c.instant),
            Snapshot::Naive => None,
        };
        for part in [
            taken,
            row.opt(c.event_id),
            row.opt(c.commence).or_else(|| row.opt(c.game_date)).or_else(|| row.opt(c.event_date)),
            row.opt(c.home),
            row.opt(c.away),
        ] {
            key.push_str(part.unwrap_or_default());
            key.push('|');
        }
    }

    fn event(&self, row: &Row<'_>, known: &Known) -> Result<Event, Refusal> {
        let c = &self.c;
        let when = match row.opt(c.commence) {
            Some(_) => When::Commence(row.instant(c.commence)?),
            None if row.opt(c.game_date).is_some() => When::Date(row.date(c.game_date)?),
            None => When::Date(row.date(c.event_date)?),
        };
        known.event(row.opt(c.event_id), row.text(c.home)?, row.text(c.away)?, when)
    }

    /// The snapshot as the row tells it; a date alone is refined later by market updates.
    fn seen_at(&self, row: &Row<'_>, tip: Timestamp) -> Result<SeenAt, Refusal> {
        let c = &self.c;
        match self.snapshot {
            Snapshot::FileDate => Ok(SeenAt::NewestUpdate(Some(last_moment(row.date(c.file_date)?, tip)))),
            Snapshot::FileDateUs => {
                let text = row.text(c.file_date_us)?;
                let date = us_date(text)
                    .ok_or_else(|| Refusal::bad("source_file_mmddyyyy", text, "a date such as 03_29_2024"))?;
                Ok(SeenAt::NewestUpdate(Some(last_moment(date, tip))))
            }
            Snapshot::Stamp => {
                let text = self.first(row, &[c.file_stamp, c.utc_stamp])?;
                let at = stamp(text)
                    .ok_or_else(|| Refusal::bad("snapshot_file", text, "a stamp such as 20251021_170000"))?;
                Ok(SeenAt::Instant(at))
            }
            Snapshot::Instant => Ok(SeenAt::Instant(row.instant(c.instant)?)),
            Snapshot::Naive => Ok(SeenAt::NewestUpdate(None)),
        }
    }

    fn updated(&self, row: &Row<'_>) -> Result<Option<Timestamp>, Refusal> {
        let c = &self.c;
        if self.snapshot == Snapshot::Naive {
            let text = row.text(c.naive)?;
            let at: DateTime = text
                .parse()
                .map_err(|_| Refusal::bad("timestamp", text, "a moment such as 2025-10-20T14:32:14"))?;
            let at = at.to_zoned(TimeZone::UTC).map_err(|e| Refusal::new(BAD_FIELD, e.to_string()))?;
            let at = Timestamp::from_second(at.timestamp().as_second()).ok();
            return Ok(at.filter(|at| is_of_the_league(league_time::league_date(*at))));
        }
        match (row.opt(c.updated), row.opt(c.book_updated)) {
            (Some(_), _) => row.instant(c.updated).map(Some),
            (None, Some(_)) => row.instant(c.book_updated).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn market<'a>(&self, row: &Row<'a>) -> Result<&'a str, Refusal> {
        match self.is_pra_only {
            true => Ok("player_points_rebounds_assists"),
            false => self.first(row, &[self.c.market, self.c.market_key]),
        }
    }

    fn book(&self, row: &Row<'_>) -> Result<String, Refusal> {
        let text = self.first(row, &[self.c.book_key, self.c.book])?;
        book_key(text).ok_or_else(|| Refusal::bad("bookmaker", text, "a book's key"))
    }

    fn offer(&self, row: &Row<'_>, market: Market) -> Result<Offer, Refusal> {
        let c = &self.c;
        let (over, under) = self.prices(row)?;
        let player = self.first(row, &[c.description, c.player, c.player_name])?;
        let point = self.first(row, &[c.outcome_point, c.line, c.point])?;
        Ok(Offer {
            place: Some(row.line),
            book: self.book(row)?,
            market,
            player: crate::ingest::table::player_name("player", player)?,
            point: crate::ingest::table::player_point("line", point)?,
            over,
            under,
            updated: self.updated(row)?,
        })
    }

    fn prices(&self, row: &Row<'_>) -> Result<(Option<proto::Price>, Option<proto::Price>), Refusal> {
        let c = &self.c;
        if self.paired {
            let (over, under) = (row.price(c.over)?, row.price(c.under)?);
            return match (&over, &under) {
                (None, None) => Err(Refusal::missing("over_price and under_price")),
                _ => Ok((over, under)),
            };
        }
        let text = self.first(row, &[c.outcome_price, c.price])?;
        let price = crate::ingest::table::price("price", text)?;
        match self.first(row, &[c.side, c.outcome_name])? {
            "Over" => Ok((Some(price), None)),
            "Under" => Ok((None, Some(price))),
            other => Err(Refusal::bad("side", other, "Over or Under")),
        }
    }

    fn outcome(&self, row: &Row<'_>, market: &str) -> Result<GameOutcome, Refusal> {
        let c = &self.c;
        let point = self.first(row, &[c.outcome_point, c.point, c.line])?;
        Ok(GameOutcome {
            place: Some(row.line),
            book: self.book(row)?,
            market: market.to_owned(),
            name: self.first(row, &[c.outcome_name, c.side])?.to_owned(),
            point: crate::ingest::table::point("point", point)?,
        })
    }
}

/// A name of a source as it may stand in a table of ours.
fn is_source_name(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    (1..=40).contains(&name.len()) && name.bytes().all(is_plain)
}

/// The last moment of a league date that is still before tip-off: what a file with only a date surely has seen.
fn last_moment(date: Date, tip: Timestamp) -> Timestamp {
    let end = date.checked_add(1.day()).map_or(tip, league_time::start_of);
    end.min(tip).saturating_sub(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MIN)
}

fn us_date(text: &str) -> Option<Date> {
    let mut parts = text.split('_');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
        .ok()
        .filter(|date| is_of_the_league(*date))
}

/// `YYYYMMDD_HHMMSS` in UTC.
pub(crate) fn stamp(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once('_')?;
    let digits = |t: &str, n: usize| t.len() == n && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(date, 8) || !digits(time, 6) {
        return None;
    }
    let (y, mo, d) = (&date[..4], &date[4..6], &date[6..]);
    let (h, mi, s) = (&time[..2], &time[2..4], &time[4..]);
    instant("stamp", &format!("{y}-{mo}-{d}T{h}:{mi}:{s}Z")).ok()
}

/// Where a group ends.
type Ends = HashMap<String, i64>;

/// First pass: the last line of each group.
fn find_ends(source: &Source, shape: &Shape) -> Result<Ends, Damage> {
    let mut ends = Ends::new();
    let mut key = String::new();
    let mut table = Table::open(source)?;
    loop {
        match table.next() {
            Ok(Some(Next::Row(row))) => {
                shape.group_key(&row, &mut key);
                match ends.get_mut(&key) {
                    Some(end) => *end = row.line,
                    None => {
                        ends.insert(key.clone(), row.line);
                    }
                }
            }
            Ok(Some(Next::Bad(..))) => {}
            // The second pass meets the same damage and reports it.
            Ok(None) | Err(_) => return Ok(ends),
        }
    }
}

/// The rows of one event and snapshot, so far.
struct Group {
    event: Result<Event, Refusal>,
    seen_at: Option<SeenAt>,
    offers: Vec<Offer>,
    outcomes: Vec<GameOutcome>,
    updates: Vec<Timestamp>,
    /// Who the table says it is from.
    source: Option<String>,
}

/// Reads a table of odds.
pub(crate) fn quotes(source: &Source, shape: &Shape, known: &Known, out: &mut Harvest) -> Result<(), Damage> {
    let ends = find_ends(source, shape)?;
    let mut open: HashMap<String, Group> = HashMap::new();
    // A group is finished one row later, when the file has proved to go on or to end as it should.
    let mut due: Option<Group> = None;
    let mut key = String::new();
    let mut table = Table::open(source)?;
    let end = loop {
        match table.next() {
            Ok(None) => break Ok(()),
            Err(damage) => break Err(damage),
            Ok(Some(Next::Bad(line, refusal, text))) => {
                out.tally.read += 1;
                out.tally.refuse(Some(line), refusal, &text, 1, None);
            }
            Ok(Some(Next::Row(row))) => {
                out.tally.read += 1;
                if let Some(group) = due.take() {
                    group.finish(shape, known, out);
                }
                shape.group_key(&row, &mut key);
                let group = open.entry(key.clone()).or_insert_with(|| Group::new(shape, &row, known, out));
                if let Err(refusal) = group.take(shape, &row, out) {
                    let date = group.event.as_ref().ok().map(|e| e.game.date);
                    out.tally.refuse(Some(row.line), refusal, &row.excerpt(), 1, date);
                }
                if ends.get(&key) == Some(&row.line) {
                    due = open.remove(&key);
                }
                if let Err(stopped) = out.flow() {
                    break Err(stopped);
                }
            }
        }
    };
    if let Some(mut group) = due.take() {
        if matches!(end, Err(Damage::Truncated(_))) && !shape.paired {
            group.drop_half_a_quote(out);
        }
        group.finish(shape, known, out);
    }
    let mut rest: Vec<(String, Group)> = open.into_iter().collect();
    rest.sort_by(|a, b| a.0.cmp(&b.0));
    rest.into_iter().for_each(|(_, group)| group.finish(shape, known, out));
    end
}

impl Group {
    fn new(shape: &Shape, row: &Row<'_>, known: &Known, out: &mut Harvest) -> Self {
        let event = shape.event(row, known).and_then(|event| out.claim(&event).map(|()| event));
        let source = row.opt(shape.c.data_source).filter(|name| is_source_name(name)).map(str::to_owned);
        let (offers, outcomes, updates) = (Vec::new(), Vec::new(), Vec::new());
        Self { event, seen_at: None, offers, outcomes, updates, source }
    }

    fn take(&mut self, shape: &Shape, row: &Row<'_>, out: &mut Harvest) -> Result<(), Refusal> {
        let event = self.event.as_ref().map_err(Clone::clone)?;
        if self.seen_at.is_none() {
            self.seen_at = Some(shape.seen_at(row, event.tip)?);
        }
        let market = shape.market(row)?;
        if is_unused_market(market) {
            out.tally.count(NOT_USED, 1);
            return Ok(());
        }
        if GAME_MARKETS.contains(&market) {
            self.updates.extend(shape.updated(row)?);
            self.outcomes.push(shape.outcome(row, market)?);
            return Ok(());
        }
        let offer = shape.offer(row, player_market(market)?)?;
        self.updates.extend(offer.updated);
        self.offers.push(offer);
        Ok(())
    }

    /// The last row before a break may be an over whose under was cut off; stored, it would pass for one-sided.
    fn drop_half_a_quote(&mut self, out: &mut Harvest) {
        if let Some(offer) = self.offers.pop() {
            let refusal = Refusal::new(TRUNCATED, "the file breaks off here, its other side may be missing");
            let excerpt = format!("{} {} {} {}", offer.book, offer.market, offer.player.display, offer.point);
            out.tally.refuse(offer.place, refusal, &excerpt, 1, None);
        }
    }

    fn finish(self, shape: &Shape, known: &Known, out: &mut Harvest) {
        let (Ok(event), Some(seen_at)) = (self.event, self.seen_at) else { return };
        let Some(at) = seen_at.resolve(event.tip, self.updates.iter().copied()) else { return };
        let usual = if shape.snapshot == Snapshot::FileDateUs { ODDS_API_DFS } else { ODDS_API };
        let source = self.source.unwrap_or_else(|| usual.to_owned());
        // In a table whose every row has its own moment, that moment is the snapshot and no update.
        let mut offers = self.offers;
        if shape.snapshot == Snapshot::Naive {
            offers.iter_mut().for_each(|offer| offer.updated = None);
        }
        if !self.outcomes.is_empty() {
            assemble_game(&event, at, self.outcomes, &source, &known.teams, out);
        }
        if !offers.is_empty() {
            out.chunk.events.push(EventOffers { event, snapshot_at: at, offers, source });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn stamps_are_utc() {
        assert_eq!(stamp("20251021_170000").unwrap().to_string(), "2025-10-21T17:00:00Z");
        for wrong in ["20251021", "2025-10-21_170000", "20251321_170000", "20251021_17000"] {
            assert_eq!(stamp(wrong), None, "{wrong}");
        }
        assert_eq!(us_date("12_23_2024").unwrap().to_string(), "2024-12-23");
    }

    #[test]
    fn a_date_alone_means_its_last_moment_before_tip_off() {
        let tip: Timestamp = "2024-10-22T23:40:00Z".parse().unwrap();
        let at = |date: &str| last_moment(date.parse().unwrap(), tip).to_string();
        assert_eq!(at("2024-10-22"), "2024-10-22T23:39:59Z");
        assert_eq!(at("2024-10-21"), "2024-10-22T03:59:59Z");
    }
}
