//! What a start reads: the whole slate as of an instant, in one read transaction.
//!
//! The transaction also sees whether a higher generation of the slate was registered; then the load is refused, so
//! that generations and inputs have the same order: a batch that may publish over another one has seen at least as
//! much (design.md 4).

use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use proto::tables::{FeatureRow, GameRow, InjuryRow};
use proto::{JobId, Line, Market, PlayerLookup, Price, Quote, Slate, TeamCode, Text};
use sqlx::query_scalar;

use crate::completeness::{self, Completeness};
use crate::error::{Doing, Error, Result};
use crate::history::{self, Args, EventTip, fetch};
use crate::sqlite::Conn;
use crate::sqlite::reader::Reader;
use crate::{AsOf, Warehouse, features, text};

/// A player belongs to the slate without a quote if he played in so many days before it.
const RECENT_DAYS: i32 = 30;

/// What to load.
#[derive(Debug, Clone)]
pub struct LoadSlate {
    /// The slate.
    pub slate: Slate,
    /// Quotes and reports up to here.
    pub as_of: Timestamp,
    /// The batch's generation: the load is refused when a higher one is registered. None: a look around.
    pub generation: Option<u64>,
    /// Markets whose quotes are wanted.
    pub markets: Vec<Market>,
    /// Whether the settled inputs are: only a start of what changed compares them.
    pub settled: bool,
}

/// A load, or the reason to withdraw.
#[derive(Debug, Clone, PartialEq)]
pub enum SlateLoad {
    /// The slate.
    Inputs(Box<SlateInputs>),
    /// A higher generation is registered.
    Overtaken {
        /// The newest one.
        newest: u64,
    },
}

/// A slate as of an instant.
#[derive(Debug, Clone, PartialEq)]
pub struct SlateInputs {
    /// The games of the date, postponed ones included.
    pub games: Vec<SlateGame>,
    /// Quotes of the wanted markets by player and game; only of events whose game is known.
    pub quotes: BTreeMap<JobId, PlayerQuotes>,
    /// Everybody whose newest team plays and who played lately, and everybody who is quoted and ever played.
    pub players: BTreeMap<PlayerLookup, SlatePlayer>,
    /// Each player's newest availability report.
    pub injuries: BTreeMap<PlayerLookup, InjuryRow>,
    /// Feature rows of the date under the opened contract.
    pub features: BTreeMap<JobId, FeatureRow>,
    /// Fingerprint of the inputs of each player's last predicted, rejected or skipped outcome in a published batch;
    /// empty unless they were wanted.
    pub settled: BTreeMap<JobId, String>,
    /// Whether the inputs are complete enough to start.
    pub completeness: Completeness,
}

/// A game of the slate.
#[derive(Debug, Clone, PartialEq)]
pub struct SlateGame {
    /// The schedule's row.
    pub row: GameRow,
    /// The earlier of schedule and the vendor's commence time.
    pub tip_off: Option<Timestamp>,
    /// The newest snapshot of its events before as-of and tip-off, over all markets, players and books.
    pub newest_snapshot: Option<Timestamp>,
}

/// The quotes of one player for one game.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlayerQuotes {
    /// The name as the source wrote it.
    pub name: String,
    /// False when the name fits no player of the two teams.
    pub resolved: bool,
    /// Each book's newest main quote per market before as-of and tip-off. Alternates are stored and never looked at.
    pub quotes: Vec<Quote>,
    /// Each book's earliest main quote per market.
    pub openings: Vec<Quote>,
}

/// A player who may be a job.
#[derive(Debug, Clone, PartialEq)]
pub struct SlatePlayer {
    /// His name in his newest box score.
    pub name: String,
    /// His team in his newest game.
    pub team: TeamCode,
    /// The date of that game.
    pub last_game_date: Date,
    /// Mean minutes of his last ten games.
    pub mean_minutes: Option<f64>,
    /// True when he played in the last 30 days and his team plays tonight: a job even without a quote.
    pub plays_lately: bool,
}

impl Warehouse {
    /// Loads a slate as of an instant, in one read transaction.
    pub async fn load_slate(&self, wanted: &LoadSlate) -> Result<SlateLoad> {
        let mut tx = self.store().read().await?;
        let newest = last_generation(&mut tx, wanted.slate).await?;
        if wanted.generation.is_some_and(|generation| newest > generation) {
            return Ok(SlateLoad::Overtaken { newest });
        }
        let date = wanted.slate.game_date;
        let as_of = AsOf::new(date, wanted.as_of);
        let rows = history::games_between(&mut tx, date, date).await?;
        let events = history::events_on(&mut tx, date, wanted.as_of).await?;
        let games = slate_games(&mut tx, rows, &events, wanted.as_of).await?;
        let quotes = quotes_of(&mut tx, wanted, &games, &events).await?;
        let players = players_of(&mut tx, &as_of, &quotes).await?;
        let injuries = history::newest_injuries(&mut tx, wanted.as_of).await?;
        let features = feature_rows(&mut tx, self, &as_of).await?;
        let settled = match wanted.settled {
            true => settled_inputs(&mut tx, wanted.slate).await?,
            false => BTreeMap::new(),
        };
        let completeness = completeness::read(&mut tx, date, self.contract_version()).await?;
        let inputs = SlateInputs { games, quotes, players, injuries, features, settled, completeness };
        Ok(SlateLoad::Inputs(Box::new(inputs)))
    }
}

/// The highest generation ever given for a slate; 0 before the first.
pub(crate) async fn last_generation(conn: &mut Conn, slate: Slate) -> Result<u64> {
    let newest: Option<i64> = query_scalar(include_str!("../sql/last_generation.sql"))
        .bind(slate.sport.as_str())
        .bind(text::date(slate.game_date))
        .fetch_optional(conn)
        .await
        .doing("read the slate's generations")?;
    Ok(u64::try_from(newest.unwrap_or(0)).unwrap_or(0))
}

/// The instant up to which, exclusively, quotes of a game count.
fn quotes_end(tip_off: Option<Timestamp>) -> Timestamp {
    tip_off.unwrap_or(Timestamp::MAX)
}

async fn slate_games(
    conn: &mut Conn,
    rows: Vec<GameRow>,
    events: &[EventTip],
    as_of: Timestamp,
) -> Result<Vec<SlateGame>> {
    let tips = history::earlier_of(&rows, events);
    let mut games = Vec::with_capacity(rows.len());
    for row in rows {
        let tip_off = tips.get(&row.game_id).copied();
        let mut newest_snapshot: Option<Timestamp> = None;
        for event in events.iter().filter(|event| event.game_id == Some(row.game_id)) {
            let newest: Option<String> = query_scalar(include_str!("../sql/newest_snapshot.sql"))
                .bind(text::date(row.game_id.date))
                .bind(&event.event_id)
                .bind(text::instant(as_of))
                .bind(text::instant(quotes_end(tip_off)))
                .fetch_one(&mut *conn)
                .await
                .doing("read the newest snapshot of an event")?;
            let newest = newest.and_then(|at| at.parse().ok());
            newest_snapshot = newest_snapshot.max(newest);
        }
        games.push(SlateGame { row, tip_off, newest_snapshot });
    }
    Ok(games)
}

/// Quotes of one event and market, for a game of the slate.
struct Asked<'a> {
    event: &'a EventTip,
    game: &'a SlateGame,
    market: &'a Market,
}

/// While SQLite's thread looks for the quotes of one event, those of the event before are read here.
async fn quotes_of(
    conn: &mut Conn,
    wanted: &LoadSlate,
    games: &[SlateGame],
    events: &[EventTip],
) -> Result<BTreeMap<JobId, PlayerQuotes>> {
    let game_of = |event: &EventTip| games.iter().find(|game| Some(game.row.game_id) == event.game_id);
    let asked = events.iter().filter_map(|event| Some((event, game_of(event)?)));
    let asked: Vec<Asked<'_>> = asked
        .flat_map(|(event, game)| wanted.markets.iter().map(move |market| Asked { event, game, market }))
        .collect();
    let mut quotes = BTreeMap::new();
    let mut before: Option<(&Asked<'_>, String)> = None;
    for asked in &asked {
        let listing = listed_quotes(conn, asked, wanted.as_of);
        let reading = async {
            match &before {
                Some((asked, text)) => take_in(&mut quotes, asked, text),
                None => Ok(()),
            }
        };
        let (text, read) = futures::join!(listing, reading);
        read?;
        before = Some((asked, text?));
    }
    if let Some((asked, text)) = &before {
        take_in(&mut quotes, asked, text)?;
    }
    Ok(quotes)
}

async fn listed_quotes(conn: &mut Conn, asked: &Asked<'_>, as_of: Timestamp) -> Result<String> {
    query_scalar(include_str!("../sql/slate_quotes.sql"))
        .bind(&asked.event.event_id)
        .bind(asked.market.as_str())
        .bind(text::instant(as_of))
        .bind(text::instant(quotes_end(asked.game.tip_off)))
        .fetch_one(conn)
        .await
        .doing("read quotes")
}

fn take_in(quotes: &mut BTreeMap<JobId, PlayerQuotes>, asked: &Asked<'_>, text: &str) -> Result<()> {
    for (player, found) in event_quotes(text, &asked.event.event_id, asked.market)? {
        match quotes.entry(JobId { player, game: asked.game.row.game_id }) {
            Entry::Vacant(place) => {
                place.insert(found);
            }
            Entry::Occupied(mut place) => place.get_mut().add(found),
        }
    }
    Ok(())
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
    snapshot_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    is_newest: u8,
    is_opening: u8,
}

/// The quotes of one event and market by player.
fn event_quotes(text: &str, event_id: &str, market: &Market) -> Result<BTreeMap<PlayerLookup, PlayerQuotes>> {
    let unreadable = |why: String| Error::Corrupt { table: "lines", why };
    let event_id = Text::from(event_id);
    let listed: Vec<ListedQuote<'_>> = serde_json::from_str(text).map_err(|e| unreadable(e.to_string()))?;
    let mut players: BTreeMap<Cow<'_, str>, PlayerQuotes> = BTreeMap::new();
    for listed in listed {
        let quote = Quote {
            book: Some(Text::from(listed.book)).filter(|book| !book.is_empty()),
            event_id: Some(event_id.clone()).filter(|id| !id.is_empty()),
            market: market.clone(),
            line: Line::from_half_points(listed.half_points),
            over: listed.over,
            under: listed.under,
            snapshot_at: listed.snapshot_at,
            market_updated_at: listed.updated_at,
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
    // An aggregate promises no order.
    for quotes in players.values_mut().flat_map(|found| [&mut found.quotes, &mut found.openings]) {
        quotes.sort_by(|a, b| (&a.book, a.snapshot_at, a.line).cmp(&(&b.book, b.snapshot_at, b.line)));
    }
    let keyed = players.into_iter().map(|(player, found)| match player.parse::<PlayerLookup>() {
        Ok(player) => Ok((player, found)),
        Err(why) => Err(unreadable(why.to_string())),
    });
    keyed.collect()
}

/// Everybody whose team plays and who played lately, and whoever of the quoted ever played.
async fn players_of(
    conn: &mut Conn,
    as_of: &AsOf,
    quotes: &BTreeMap<JobId, PlayerQuotes>,
) -> Result<BTreeMap<PlayerLookup, SlatePlayer>> {
    let before = as_of.results_before();
    let args = Args::default()
        .with(text::date(before))
        .with(text::date(before.saturating_sub(RECENT_DAYS.days())))
        .with(text::date(as_of.game_date()));
    let sql = include_str!("../sql/slate_players.sql");
    let lately = fetch(conn, sql, args, "player_games", "read players", |r| slate_player(r, true)).await?;
    let mut players: BTreeMap<PlayerLookup, SlatePlayer> = lately.into_iter().collect();
    let quoted: BTreeSet<&PlayerLookup> = quotes.keys().map(|job| &job.player).collect();
    for lookup in quoted {
        if players.contains_key(lookup) {
            continue;
        }
        let args = Args::default().with(text::date(before)).with(lookup.to_string());
        let sql = include_str!("../sql/slate_player.sql");
        let found =
            fetch(conn, sql, args, "player_games", "read a player", |r| slate_player(r, false)).await?;
        players.extend(found);
    }
    Ok(players)
}

fn slate_player(r: &mut Reader<'_>, plays_lately: bool) -> Result<(PlayerLookup, SlatePlayer)> {
    let lookup = r.parsed()?;
    let player = SlatePlayer {
        name: r.text()?,
        team: r.parsed()?,
        last_game_date: r.date()?,
        mean_minutes: r.opt_real()?,
        plays_lately,
    };
    Ok((lookup, player))
}

/// The rows of the date. When none is of this build's contract but some are of another, those are given, so that a
/// player is refused for what is wrong (`contract_mismatch`) and not as if nothing had ever been built.
async fn feature_rows(
    conn: &mut Conn,
    warehouse: &Warehouse,
    as_of: &AsOf,
) -> Result<BTreeMap<JobId, FeatureRow>> {
    let mut rows = current_rows(conn, warehouse, as_of).await?;
    if rows.is_empty() {
        let others = features::rows_of_other_contracts(conn, warehouse.columns(), as_of.game_date()).await?;
        rows.extend(others.into_iter().map(keyed));
    }
    Ok(rows)
}

fn keyed(row: FeatureRow) -> (JobId, FeatureRow) {
    (JobId { player: row.player_lookup.clone(), game: row.game_id }, row)
}

/// The rows of the date under the contract of this build, each with the newest ingestion among its inputs as they are now: an input that came in
/// after the row was built makes it stale.
async fn current_rows(
    conn: &mut Conn,
    warehouse: &Warehouse,
    as_of: &AsOf,
) -> Result<BTreeMap<JobId, FeatureRow>> {
    let mut rows = features::features_of(conn, warehouse.columns(), as_of.game_date()).await?;
    let Some(oldest) = rows.iter().map(|row| row.built_at).min() else {
        return Ok(BTreeMap::new());
    };
    let late = LateInputs::read(conn, as_of, oldest).await?;
    for row in &mut rows {
        row.inputs_ingested_at = row.inputs_ingested_at.max(late.of(row));
    }
    Ok(rows.into_iter().map(keyed).collect())
}

/// Inputs that were ingested after the oldest feature row of a date was built, newest by player, team and game.
struct LateInputs {
    by_subject: BTreeMap<String, Timestamp>,
}

impl LateInputs {
    async fn read(conn: &mut Conn, as_of: &AsOf, built_at: Timestamp) -> Result<Self> {
        let before = as_of.results_before();
        let args = Args::default()
            .with(text::instant(built_at))
            .with(text::date(before))
            .with(text::date(as_of.game_date()))
            .with(text::instant(as_of.at()));
        let sql = include_str!("../sql/late_inputs.sql");
        let rows =
            fetch(conn, sql, args, "player_games", "read late inputs", |r| Ok((r.text()?, r.instant()?)))
                .await?;
        Ok(Self { by_subject: rows.into_iter().collect() })
    }

    fn of(&self, row: &FeatureRow) -> Option<Timestamp> {
        let game = row.game_id;
        [
            format!("player {}", row.player_lookup),
            format!("team {}", game.away),
            format!("team {}", game.home),
            format!("game {game}"),
        ]
        .iter()
        .filter_map(|subject| self.by_subject.get(subject).copied())
        .max()
    }
}

async fn settled_inputs(conn: &mut Conn, slate: Slate) -> Result<BTreeMap<JobId, String>> {
    let args = Args::default().with(slate.sport.as_str()).with(text::date(slate.game_date));
    let sql = include_str!("../sql/settled_inputs.sql");
    let rows = fetch(conn, sql, args, "job_outcomes", "read settled inputs", |r| {
        Ok((JobId { player: r.parsed()?, game: r.parsed()? }, r.text()?))
    })
    .await?;
    Ok(rows.into_iter().collect())
}
