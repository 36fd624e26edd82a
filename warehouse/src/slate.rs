//! What a start reads: the whole slate as of an instant, in one read transaction, or in two that see the same state.
//!
//! The transaction also sees whether a higher generation of the slate was registered; then the load is refused, so
//! that generations and inputs have the same order: a batch that may publish over another one has seen at least as
//! much (design.md 4).

mod quotes;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::try_join;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use proto::tables::{FeatureRow, GameRow, InjuryRow};
use proto::{GameKey, JobId, Market, PlayerLookup, Quote, Slate, TeamCode};
use sqlx::query_scalar;

use self::quotes::{Asked, add, sort};
use crate::completeness::{self, Completeness};
use crate::error::{Doing, Result};
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

impl SlateInputs {
    /// True when an input of a feature row came in after the row was built.
    pub fn is_behind(&self) -> bool {
        self.features.values().any(|row| row.inputs_ingested_at.is_some_and(|at| at > row.built_at))
    }
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
    /// Loads a slate as of an instant: everything read is of one state of the warehouse.
    pub async fn load_slate(&self, wanted: &LoadSlate) -> Result<SlateLoad> {
        // A slate is as much as one thread reads in thirty milliseconds, so a second one helps where there is one.
        let (mut tx, mut twin) = match self.store().twin_reads().await? {
            Some((tx, twin)) => (tx, Some(twin)),
            None => (self.store().read().await?, None),
        };
        let newest = last_generation(&mut tx, wanted.slate).await?;
        if wanted.generation.is_some_and(|generation| newest > generation) {
            return Ok(SlateLoad::Overtaken { newest });
        }
        let as_of = AsOf::new(wanted.slate.game_date, wanted.as_of);
        let (played, lately) = match &mut twin {
            Some(twin) => try_join!(Played::read(&mut tx, wanted), lately(twin, &as_of))?,
            None => (Played::read(&mut tx, wanted).await?, lately(&mut tx, &as_of).await?),
        };
        let asked = Asked::of(&played, wanted);
        let (mut quotes, more, beside) = match &mut twin {
            Some(twin) => {
                let helping = async {
                    let beside = Beside::read(twin, self, wanted, &as_of).await?;
                    Ok((asked.read(twin).await?, beside))
                };
                let (quotes, (more, beside)) = try_join!(asked.read(&mut tx), helping)?;
                (quotes, more, beside)
            }
            None => (
                asked.read(&mut tx).await?,
                BTreeMap::new(),
                Beside::read(&mut tx, self, wanted, &as_of).await?,
            ),
        };
        add(&mut quotes, more);
        sort(&mut quotes);
        let players = with_quoted(&mut tx, &as_of, lately, &quotes).await?;
        let Beside { injuries, features, settled, completeness } = beside;
        let games = played.games;
        let inputs = SlateInputs { games, quotes, players, injuries, features, settled, completeness };
        Ok(SlateLoad::Inputs(Box::new(inputs)))
    }
}

/// The games of a slate and what the odds' vendor calls them.
struct Played {
    games: Vec<SlateGame>,
    events: Vec<EventTip>,
}

impl Played {
    async fn read(conn: &mut Conn, wanted: &LoadSlate) -> Result<Self> {
        let date = wanted.slate.game_date;
        let rows = history::games_between(conn, date, date).await?;
        let events = history::events_on(conn, date, wanted.as_of).await?;
        let games = slate_games(conn, date, rows, &events, wanted.as_of).await?;
        Ok(Self { games, events })
    }
}

/// What a slate has besides games, quotes and players.
struct Beside {
    injuries: BTreeMap<PlayerLookup, InjuryRow>,
    features: BTreeMap<JobId, FeatureRow>,
    settled: BTreeMap<JobId, String>,
    completeness: Completeness,
}

impl Beside {
    async fn read(conn: &mut Conn, warehouse: &Warehouse, wanted: &LoadSlate, as_of: &AsOf) -> Result<Self> {
        let features = feature_rows(conn, warehouse, as_of).await?;
        let injuries = history::newest_injuries(conn, wanted.as_of).await?;
        let settled = match wanted.settled {
            true => settled_inputs(conn, wanted.slate).await?,
            false => BTreeMap::new(),
        };
        let version = warehouse.contract_version();
        let completeness = completeness::read(conn, wanted.slate.game_date, version).await?;
        Ok(Self { injuries, features, settled, completeness })
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
    date: Date,
    rows: Vec<GameRow>,
    events: &[EventTip],
    as_of: Timestamp,
) -> Result<Vec<SlateGame>> {
    let tips = history::earlier_of(&rows, events);
    let tip_of = |game: GameKey| tips.get(&game).copied();
    let asked: Vec<(&str, String)> = events
        .iter()
        .filter_map(|event| {
            Some((event.event_id.as_str(), text::instant(quotes_end(tip_of(event.game_id?)))))
        })
        .collect();
    let args = Args::default()
        .with(text::date(date))
        .with(text::instant(as_of))
        .with(serde_json::to_string(&asked).unwrap_or_default());
    let sql = include_str!("../sql/newest_snapshots.sql");
    let doing = "read the newest snapshots of the events";
    let newest: HashMap<String, Option<Timestamp>> =
        fetch(conn, sql, args, "lines", doing, |r| Ok((r.text()?, r.opt_instant()?)))
            .await?
            .into_iter()
            .collect();
    let games = rows.into_iter().map(|row| {
        let of_game = events.iter().filter(|event| event.game_id == Some(row.game_id));
        let newest_snapshot = of_game.filter_map(|event| *newest.get(&event.event_id)?).max();
        SlateGame { tip_off: tip_of(row.game_id), newest_snapshot, row }
    });
    Ok(games.collect())
}

/// Everybody whose team plays and who played lately.
async fn lately(conn: &mut Conn, as_of: &AsOf) -> Result<BTreeMap<PlayerLookup, SlatePlayer>> {
    let before = as_of.results_before();
    let args = Args::default()
        .with(text::date(before))
        .with(text::date(before.saturating_sub(RECENT_DAYS.days())))
        .with(text::date(as_of.game_date()));
    let sql = include_str!("../sql/slate_players.sql");
    let players = fetch(conn, sql, args, "player_games", "read players", |r| slate_player(r, true)).await?;
    Ok(players.into_iter().collect())
}

/// Those, and whoever of the quoted ever played.
async fn with_quoted(
    conn: &mut Conn,
    as_of: &AsOf,
    mut players: BTreeMap<PlayerLookup, SlatePlayer>,
    quotes: &BTreeMap<JobId, PlayerQuotes>,
) -> Result<BTreeMap<PlayerLookup, SlatePlayer>> {
    let quoted: BTreeSet<&PlayerLookup> = quotes.keys().map(|job| &job.player).collect();
    for lookup in quoted {
        if players.contains_key(lookup) {
            continue;
        }
        let args = Args::default().with(text::date(as_of.results_before())).with(lookup.to_string());
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
