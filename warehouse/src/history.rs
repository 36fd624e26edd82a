//! Point-in-time reads for building features and for looking around: bulk scans, one statement each.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use proto::tables::{
    AliasRow, GameLineRow, GameRow, InjuryRow, LineRow, PlayerGameRow, TeamGameRow, TeamRow,
};
use proto::{GameKey, Line, Market, PlayerLookup, TeamCode};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Encode, Sqlite, Type};

use crate::error::{Doing, Result};
use crate::sqlite::Conn;
use crate::sqlite::reader::Reader;
use crate::text;
use crate::{AsOf, Warehouse};

/// How far back a player's newest game may lie for him to be on a roster.
const ROSTER_DAYS: i32 = 400;

/// A row with the instant it was ingested, from which the freshness of features follows.
#[derive(Debug, Clone, PartialEq)]
pub struct Stamped<T> {
    /// The row.
    pub row: T,
    /// When it went in.
    pub ingested_at: Timestamp,
}

/// A player with his newest team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterPlayer {
    /// The player.
    pub player_lookup: PlayerLookup,
    /// His name in his newest box score.
    pub name: String,
    /// The lookup without a generational suffix.
    pub base_lookup: PlayerLookup,
    /// His team in his newest game.
    pub team: TeamCode,
    /// The date of that game.
    pub last_game_date: Date,
}

/// With which line a book went into a game.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosingQuote {
    /// The game.
    pub game_id: GameKey,
    /// The player.
    pub player_lookup: PlayerLookup,
    /// The book.
    pub book: String,
    /// The smallest main line of its newest snapshot before tip-off.
    pub line: Line,
}

/// What the vendor's events say about a slate's games at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventTip {
    pub(crate) event_id: String,
    pub(crate) game_id: Option<GameKey>,
    pub(crate) commence_time: Timestamp,
}

/// Arguments of a statement, in order.
#[derive(Default)]
pub(crate) struct Args(SqliteArguments);

impl Args {
    pub(crate) fn with<'q, T: Encode<'q, Sqlite> + Type<Sqlite>>(mut self, value: T) -> Self {
        // Texts, numbers and flags always encode.
        let encoded = self.0.add(value);
        debug_assert!(encoded.is_ok());
        self
    }
}

/// Runs a statement and reads every row with `read`.
pub(crate) async fn fetch<T>(
    conn: &mut Conn,
    sql: &'static str,
    args: Args,
    table: &'static str,
    doing: &'static str,
    read: impl Fn(&mut Reader<'_>) -> Result<T> + Send,
) -> Result<Vec<T>>
where
    T: Send,
{
    use futures::TryStreamExt;
    let mut rows = sqlx::query_with(sql, args.0).fetch(conn);
    let mut all = Vec::new();
    while let Some(row) = rows.try_next().await.doing(doing)? {
        let row: SqliteRow = row;
        all.push(read(&mut Reader::new(&row, table))?);
    }
    Ok(all)
}

impl Warehouse {
    /// Every team.
    pub async fn teams(&self) -> Result<Vec<TeamRow>> {
        let sql = include_str!("../sql/teams.sql");
        self.scan(sql, Args::default(), "teams", "read teams", |r| {
            Ok(TeamRow {
                team: r.parsed()?,
                league_team_id: r.int()?,
                full_name: r.text()?,
                nickname: r.text()?,
            })
        })
        .await
    }

    /// Every alias.
    pub async fn aliases(&self) -> Result<Vec<AliasRow>> {
        let sql = include_str!("../sql/aliases.sql");
        self.scan(sql, Args::default(), "player_aliases", "read aliases", |r| {
            Ok(AliasRow { alias: r.parsed()?, player_lookup: r.parsed()? })
        })
        .await
    }

    /// The games of one date.
    pub async fn games_on(&self, game_date: Date) -> Result<Vec<GameRow>> {
        self.games_between(game_date, game_date).await
    }

    /// The games of some dates, both included, in order.
    pub async fn games_between(&self, from: Date, to: Date) -> Result<Vec<GameRow>> {
        let mut tx = self.store().read().await?;
        games_between(&mut tx, from, to).await
    }

    /// Everybody who played in the 400 days before the as-of, with his newest team.
    pub async fn rosters(&self, as_of: &AsOf) -> Result<Vec<RosterPlayer>> {
        let before = as_of.results_before();
        let args = Args::default()
            .with(text::date(before))
            .with(text::date(before.saturating_sub(ROSTER_DAYS.days())));
        let sql = include_str!("../sql/rosters.sql");
        self.scan(sql, args, "player_games", "read rosters", |r| {
            Ok(RosterPlayer {
                player_lookup: r.parsed()?,
                name: r.text()?,
                base_lookup: r.parsed()?,
                team: r.parsed()?,
                last_game_date: r.date()?,
            })
        })
        .await
    }

    /// Box scores from `since` on, strictly before what the as-of allows; ordered by player and date.
    pub async fn player_games_before(
        &self,
        as_of: &AsOf,
        since: Date,
    ) -> Result<Vec<Stamped<PlayerGameRow>>> {
        let args = Args::default().with(text::date(since)).with(text::date(as_of.results_before()));
        let sql = include_str!("../sql/player_games_before.sql");
        self.scan(sql, args, "player_games", "read player games", player_game).await
    }

    /// Team box scores, likewise; ordered by team and date.
    pub async fn team_games_before(&self, as_of: &AsOf, since: Date) -> Result<Vec<Stamped<TeamGameRow>>> {
        let args = Args::default().with(text::date(since)).with(text::date(as_of.results_before()));
        let sql = include_str!("../sql/team_games_before.sql");
        self.scan(sql, args, "team_games", "read team games", team_game).await
    }

    /// Every quote of a market for the as-of's date: seen at or before the as-of and strictly before its game's
    /// tip-off (incident 57). Ordered by player, event, book and snapshot.
    pub async fn lines_of(&self, as_of: &AsOf, market: &Market) -> Result<Vec<Stamped<LineRow>>> {
        let mut tx = self.store().read().await?;
        let tips = tips_on(&mut tx, as_of.game_date(), as_of.at()).await?;
        let args = Args::default()
            .with(text::date(as_of.game_date()))
            .with(market.to_string())
            .with(text::instant(as_of.at()));
        let sql = include_str!("../sql/lines_of.sql");
        let mut lines = fetch(&mut tx, sql, args, "lines", "read lines", line).await?;
        lines.retain(|line| {
            let row = &line.row;
            let tip = row.game_id.and_then(|game| tips.get(&game).copied()).unwrap_or(row.commence_time);
            row.snapshot_at < tip
        });
        Ok(lines)
    }

    /// Each book's newest main quote of a market before tip-off, for games of some dates, the last one strictly before
    /// the as-of's date. One scan, whatever the number of players.
    pub async fn closing_lines(
        &self,
        as_of: &AsOf,
        since: Date,
        market: &Market,
    ) -> Result<Vec<ClosingQuote>> {
        let last = as_of.results_before().saturating_sub(1.days());
        let args = Args::default().with(market.to_string()).with(text::date(since)).with(text::date(last));
        let sql = include_str!("../sql/closing_lines.sql");
        self.scan(sql, args, "lines", "read closing lines", |r| {
            Ok(ClosingQuote {
                game_id: r.parsed()?,
                player_lookup: r.parsed()?,
                book: r.text()?,
                line: Line::from_half_points(r.narrow()?),
            })
        })
        .await
    }

    /// Every availability report from `since` up to the as-of, by player and time.
    pub async fn injury_reports(&self, as_of: &AsOf, since: Timestamp) -> Result<Vec<Stamped<InjuryRow>>> {
        let args = Args::default().with(text::instant(since)).with(text::instant(as_of.at()));
        let sql = include_str!("../sql/injury_reports.sql");
        self.scan(sql, args, "injuries", "read injury reports", |r| {
            Ok(Stamped { row: injury(r)?, ingested_at: r.instant()? })
        })
        .await
    }

    /// Spreads and totals of the as-of's date, seen at or before it and strictly before tip-off.
    pub async fn game_lines_of(&self, as_of: &AsOf) -> Result<Vec<Stamped<GameLineRow>>> {
        let mut tx = self.store().read().await?;
        let tips = tips_on(&mut tx, as_of.game_date(), as_of.at()).await?;
        let args = Args::default().with(text::date(as_of.game_date())).with(text::instant(as_of.at()));
        let sql = include_str!("../sql/game_lines_of.sql");
        let mut lines = fetch(&mut tx, sql, args, "game_lines", "read game lines", game_line).await?;
        lines.retain(|line| tips.get(&line.row.game_id).is_none_or(|tip| line.row.snapshot_at < *tip));
        Ok(lines)
    }

    /// Each player's newest availability report at the as-of.
    pub async fn injuries_before(&self, as_of: &AsOf) -> Result<BTreeMap<PlayerLookup, InjuryRow>> {
        let mut tx = self.store().read().await?;
        newest_injuries(&mut tx, as_of.at()).await
    }

    async fn scan<T: Send>(
        &self,
        sql: &'static str,
        args: Args,
        table: &'static str,
        doing: &'static str,
        read: impl Fn(&mut Reader<'_>) -> Result<T> + Send,
    ) -> Result<Vec<T>> {
        let mut tx = self.store().read().await?;
        fetch(&mut tx, sql, args, table, doing, read).await
    }
}

pub(crate) async fn games_between(conn: &mut Conn, from: Date, to: Date) -> Result<Vec<GameRow>> {
    let args = Args::default().with(text::date(from)).with(text::date(to));
    fetch(conn, include_str!("../sql/games_between.sql"), args, "games", "read games", game).await
}

/// The vendor's events of a date, each as its newest snapshot up to `at` describes it.
pub(crate) async fn events_on(conn: &mut Conn, game_date: Date, at: Timestamp) -> Result<Vec<EventTip>> {
    let args = Args::default().with(text::date(game_date)).with(text::instant(at));
    let sql = include_str!("../sql/events_on.sql");
    fetch(conn, sql, args, "lines", "read events", |r| {
        Ok(EventTip { event_id: r.text()?, game_id: r.opt_parsed()?, commence_time: r.instant()? })
    })
    .await
}

/// Tip-off of each game of a date as known at `at`: the earlier of schedule and the vendor's commence time.
pub(crate) async fn tips_on(
    conn: &mut Conn,
    game_date: Date,
    at: Timestamp,
) -> Result<BTreeMap<GameKey, Timestamp>> {
    let games = games_between(conn, game_date, game_date).await?;
    let events = events_on(conn, game_date, at).await?;
    Ok(earlier_of(&games, &events))
}

pub(crate) fn earlier_of(games: &[GameRow], events: &[EventTip]) -> BTreeMap<GameKey, Timestamp> {
    let scheduled = games.iter().filter_map(|game| Some((game.game_id, game.tip_off?)));
    let commencing = events.iter().filter_map(|event| Some((event.game_id?, event.commence_time)));
    let mut tips = BTreeMap::new();
    for (game, tip) in scheduled.chain(commencing) {
        let known = tips.entry(game).or_insert(tip);
        *known = tip.min(*known);
    }
    tips
}

pub(crate) async fn newest_injuries(
    conn: &mut Conn,
    at: Timestamp,
) -> Result<BTreeMap<PlayerLookup, InjuryRow>> {
    let args = Args::default().with(text::instant(at));
    let sql = include_str!("../sql/newest_injuries.sql");
    let rows = fetch(conn, sql, args, "injuries", "read injuries", injury).await?;
    Ok(rows.into_iter().map(|row| (row.player_lookup.clone(), row)).collect())
}

fn injury(r: &mut Reader<'_>) -> Result<InjuryRow> {
    Ok(InjuryRow {
        player_lookup: r.parsed()?,
        player_name: r.text()?,
        player_resolved: r.flag()?,
        team: r.opt_parsed()?,
        status: r.parsed()?,
        reported_at: r.instant()?,
        note: r.text()?,
    })
}

fn game(r: &mut Reader<'_>) -> Result<GameRow> {
    Ok(GameRow {
        game_id: r.parsed()?,
        league_game_id: r.opt_parsed()?,
        season: r.narrow()?,
        phase: r.parsed()?,
        tip_off: r.opt_instant()?,
        status: r.parsed()?,
        home_score: r.opt_narrow()?,
        away_score: r.opt_narrow()?,
    })
}

fn player_game(r: &mut Reader<'_>) -> Result<Stamped<PlayerGameRow>> {
    let row = PlayerGameRow {
        game_id: r.parsed()?,
        player_lookup: r.parsed()?,
        player_name: r.text()?,
        league_player_id: r.int()?,
        team: r.parsed()?,
        opponent: r.parsed()?,
        is_home: r.flag()?,
        season: r.narrow()?,
        phase: r.parsed()?,
        minutes: r.real()?,
        points: r.real()?,
        rebounds: r.real()?,
        assists: r.real()?,
        threes: r.real()?,
        fgm: r.real()?,
        fga: r.real()?,
        fg3a: r.real()?,
        ftm: r.real()?,
        fta: r.real()?,
        oreb: r.real()?,
        dreb: r.real()?,
        stl: r.real()?,
        blk: r.real()?,
        tov: r.real()?,
        pf: r.real()?,
        plus_minus: r.opt_real()?,
    };
    Ok(Stamped { row, ingested_at: r.instant()? })
}

fn team_game(r: &mut Reader<'_>) -> Result<Stamped<TeamGameRow>> {
    let row = TeamGameRow {
        game_id: r.parsed()?,
        team: r.parsed()?,
        opponent: r.parsed()?,
        is_home: r.flag()?,
        season: r.narrow()?,
        phase: r.parsed()?,
        won: r.flag()?,
        minutes: r.real()?,
        points: r.real()?,
        fga: r.real()?,
        fta: r.real()?,
        oreb: r.real()?,
        tov: r.real()?,
        plus_minus: r.real()?,
    };
    Ok(Stamped { row, ingested_at: r.instant()? })
}

fn line(r: &mut Reader<'_>) -> Result<Stamped<LineRow>> {
    let row = LineRow {
        event_id: r.text()?,
        book: r.text()?,
        market: r.parsed()?,
        player_lookup: r.parsed()?,
        player_name: r.text()?,
        player_resolved: r.flag()?,
        line: Line::from_half_points(r.narrow()?),
        snapshot_at: r.instant()?,
        game_id: r.opt_parsed()?,
        game_date: r.date()?,
        commence_time: r.instant()?,
        over_price: r.opt_parsed()?,
        under_price: r.opt_parsed()?,
        is_main: r.flag()?,
        tag: r.opt_parsed()?,
        minutes_before_tip: r.int()?,
        market_updated_at: r.opt_instant()?,
        source: r.text()?,
    };
    Ok(Stamped { row, ingested_at: r.instant()? })
}

fn game_line(r: &mut Reader<'_>) -> Result<Stamped<GameLineRow>> {
    let row = GameLineRow {
        game_id: r.parsed()?,
        book: r.text()?,
        home_spread: r.opt_narrow()?.map(Line::from_half_points),
        total: r.opt_narrow()?.map(Line::from_half_points),
        snapshot_at: r.instant()?,
        source: r.text()?,
    };
    Ok(Stamped { row, ingested_at: r.instant()? })
}
