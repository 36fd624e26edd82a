//! What the tables hold of each day of a range: counts, nothing judged. One read transaction, one scan a table.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use proto::league_time::league_date;
use proto::tables::GameRow;
use proto::{GameKey, Market, TeamCode};

use crate::Warehouse;
use crate::error::Result;
use crate::history::{self, Args, fetch};
use crate::sqlite::Conn;
use crate::text;

/// Games whose quotes were seen in a range are at most so many days later.
const AHEAD_DAYS: i32 = 14;

/// What the tables hold of a range.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CoverageFacts {
    /// The schedule.
    pub games: Vec<GameRow>,
    /// Quotes of each game.
    pub lines: BTreeMap<GameKey, LineFacts>,
    /// Quotes of each date by source.
    pub sources: Vec<SourceFacts>,
    /// Quotes by date and book.
    pub books: Vec<(Date, String, u64)>,
    /// League dates on which a snapshot was taken, of whatever game, with the number of distinct instants.
    pub snapshots: BTreeMap<Date, u64>,
    /// League dates on which a snapshot of a market was taken.
    pub seen: BTreeMap<Market, BTreeSet<Date>>,
    /// Feature rows of each game by team, and how many of them no required default spoils.
    pub features: BTreeMap<GameKey, BTreeMap<TeamCode, (u64, u64)>>,
    /// Player box scores of each game by team.
    pub box_scores: BTreeMap<GameKey, BTreeMap<TeamCode, u64>>,
    /// Players with active rows, and rows, of each game.
    pub predictions: BTreeMap<GameKey, (u64, u64)>,
    /// Refused rows and files by date.
    pub quarantined: BTreeMap<Date, u64>,
}

/// Quotes of one game.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineFacts {
    /// Players with a quote.
    pub players: u64,
    /// Books that quote.
    pub books: u64,
    /// Rows.
    pub rows: u64,
}

/// Quotes of one date from one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFacts {
    /// The date of the games.
    pub game_date: Date,
    /// The source.
    pub source: String,
    /// Files they came from.
    pub files: u64,
    /// Players and markets of events.
    pub records: u64,
    /// Rows.
    pub rows: u64,
}

impl Warehouse {
    /// What the tables hold of the dates from `from` to `to`, both included.
    pub async fn coverage_facts(&self, from: Date, to: Date) -> Result<CoverageFacts> {
        let mut tx = self.store().read().await?;
        let range = Range { from, to };
        let mut facts = CoverageFacts {
            games: history::games_between(&mut tx, from, to).await?,
            predictions: predictions(&mut tx, range).await?,
            ..CoverageFacts::default()
        };
        snapshots(&mut tx, range, &mut facts).await?;
        quotes(&mut tx, range, &mut facts).await?;
        players(&mut tx, range, self.contract_version(), &mut facts).await?;
        let sql = include_str!("../sql/coverage/quarantine.sql");
        let refused = fetch(&mut tx, sql, range.args(), "quarantine", "count what was refused", |r| {
            Ok((r.date()?, r.narrow()?))
        });
        facts.quarantined = refused.await?.into_iter().collect();
        Ok(facts)
    }
}

/// Dates, both included.
#[derive(Clone, Copy)]
struct Range {
    from: Date,
    to: Date,
}

impl Range {
    fn args(self) -> Args {
        Args::default().with(text::date(self.from)).with(text::date(self.to))
    }
}

/// Quotes by game, by source and by book.
async fn quotes(conn: &mut Conn, range: Range, facts: &mut CoverageFacts) -> Result<()> {
    let sql = include_str!("../sql/coverage/lines.sql");
    let by_game = fetch(conn, sql, range.args(), "lines", "count quotes", |r| {
        Ok((r.parsed()?, LineFacts { players: r.narrow()?, books: r.narrow()?, rows: r.narrow()? }))
    });
    facts.lines = by_game.await?.into_iter().collect();
    let sql = include_str!("../sql/coverage/sources.sql");
    let by_source = fetch(conn, sql, range.args(), "lines", "count sources", |r| {
        Ok(SourceFacts {
            game_date: r.date()?,
            source: r.text()?,
            files: r.narrow()?,
            records: r.narrow()?,
            rows: r.narrow()?,
        })
    });
    facts.sources = by_source.await?;
    let sql = include_str!("../sql/coverage/books.sql");
    let by_book =
        fetch(conn, sql, range.args(), "lines", "count books", |r| Ok((r.date()?, r.text()?, r.narrow()?)));
    facts.books = by_book.await?;
    Ok(())
}

/// When somebody looked, and at which markets.
async fn snapshots(conn: &mut Conn, range: Range, facts: &mut CoverageFacts) -> Result<()> {
    let ahead = Range { to: range.to.checked_add(AHEAD_DAYS.days()).unwrap_or(range.to), ..range };
    let sql = include_str!("../sql/coverage/snapshots.sql");
    let looks: Vec<(Timestamp, Market)> =
        fetch(conn, sql, ahead.args(), "lines", "list snapshots", |r| Ok((r.instant()?, r.parsed()?)))
            .await?;
    let instants: BTreeSet<Timestamp> = looks.iter().map(|(at, _)| *at).collect();
    for at in instants {
        *facts.snapshots.entry(league_date(at)).or_default() += 1;
    }
    for (at, market) in looks {
        facts.seen.entry(market).or_default().insert(league_date(at));
    }
    Ok(())
}

/// Feature rows and box scores by game and team.
async fn players(
    conn: &mut Conn,
    range: Range,
    contract_version: &str,
    facts: &mut CoverageFacts,
) -> Result<()> {
    let sql = include_str!("../sql/coverage/features.sql");
    let args = range.args().with(contract_version.to_owned());
    let features: Vec<(GameKey, TeamCode, (u64, u64))> =
        fetch(conn, sql, args, "features", "count features", |r| {
            Ok((r.parsed()?, r.parsed()?, (r.narrow()?, r.narrow()?)))
        })
        .await?;
    for (game, team, rows) in features {
        facts.features.entry(game).or_default().insert(team, rows);
    }
    let sql = include_str!("../sql/coverage/box_scores.sql");
    let box_scores: Vec<(GameKey, TeamCode, u64)> =
        fetch(conn, sql, range.args(), "player_games", "count box scores", |r| {
            Ok((r.parsed()?, r.parsed()?, r.narrow()?))
        })
        .await?;
    for (game, team, rows) in box_scores {
        facts.box_scores.entry(game).or_default().insert(team, rows);
    }
    Ok(())
}

async fn predictions(conn: &mut Conn, range: Range) -> Result<BTreeMap<GameKey, (u64, u64)>> {
    let sql = include_str!("../sql/coverage/predictions.sql");
    let rows = fetch(conn, sql, range.args(), "active_predictions", "count predictions", |r| {
        Ok((r.parsed()?, (r.narrow()?, r.narrow()?)))
    });
    Ok(rows.await?.into_iter().collect())
}
