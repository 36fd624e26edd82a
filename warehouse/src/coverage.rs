//! What the tables hold of each day of a range: counts, nothing judged. One read transaction, one scan a table.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use proto::league_time::league_date;
use proto::tables::GameRow;
use proto::{GameKey, TeamCode};

use crate::Warehouse;
use crate::error::Result;
use crate::history::{self, Args, fetch};
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
        let range = || Args::default().with(text::date(from)).with(text::date(to));
        let mut facts = CoverageFacts {
            games: history::games_between(&mut tx, from, to).await?,
            ..CoverageFacts::default()
        };
        let sql = include_str!("../sql/coverage/lines.sql");
        let lines = fetch(&mut tx, sql, range(), "lines", "count quotes", |r| {
            Ok((r.parsed()?, LineFacts { players: r.narrow()?, books: r.narrow()?, rows: r.narrow()? }))
        });
        facts.lines = lines.await?.into_iter().collect();
        let sql = include_str!("../sql/coverage/sources.sql");
        facts.sources = fetch(&mut tx, sql, range(), "lines", "count sources", |r| {
            Ok(SourceFacts {
                game_date: r.date()?,
                source: r.text()?,
                files: r.narrow()?,
                records: r.narrow()?,
                rows: r.narrow()?,
            })
        })
        .await?;
        let sql = include_str!("../sql/coverage/books.sql");
        facts.books =
            fetch(&mut tx, sql, range(), "lines", "count books", |r| Ok((r.date()?, r.text()?, r.narrow()?)))
                .await?;
        let ahead = to.checked_add(AHEAD_DAYS.days()).unwrap_or(to);
        let args = Args::default().with(text::date(from)).with(text::date(ahead));
        let sql = include_str!("../sql/coverage/snapshots.sql");
        let instants: Vec<Timestamp> =
            fetch(&mut tx, sql, args, "lines", "list snapshots", |r| r.instant()).await?;
        for at in instants.into_iter().collect::<BTreeSet<_>>() {
            *facts.snapshots.entry(league_date(at)).or_default() += 1;
        }
        let sql = include_str!("../sql/coverage/features.sql");
        let args = range().with(self.contract_version().to_owned());
        for (game, team, rows, ready) in fetch(&mut tx, sql, args, "features", "count features", |r| {
            Ok((r.parsed()?, r.parsed()?, r.narrow()?, r.narrow()?))
        })
        .await?
        {
            facts.features.entry(game).or_default().insert(team, (rows, ready));
        }
        let sql = include_str!("../sql/coverage/box_scores.sql");
        for (game, team, rows) in fetch(&mut tx, sql, range(), "player_games", "count box scores", |r| {
            Ok((r.parsed()?, r.parsed()?, r.narrow()?))
        })
        .await?
        {
            facts.box_scores.entry(game).or_default().insert(team, rows);
        }
        let (first, _) = text::game_id_range(from);
        let (_, end) = text::game_id_range(to);
        let sql = include_str!("../sql/coverage/predictions.sql");
        let args = Args::default().with(first).with(end);
        let predicted = fetch(&mut tx, sql, args, "predictions", "count predictions", |r| {
            Ok((r.parsed()?, (r.narrow()?, r.narrow()?)))
        });
        facts.predictions = predicted.await?.into_iter().collect();
        let sql = include_str!("../sql/coverage/quarantine.sql");
        let quarantined = fetch(&mut tx, sql, range(), "quarantine", "count what was refused", |r| {
            Ok((r.date()?, r.narrow()?))
        });
        facts.quarantined = quarantined.await?.into_iter().collect();
        Ok(facts)
    }
}
