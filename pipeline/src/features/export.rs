//! Features as a table for training: key, results, the lines one could have bet, then each feature by name.
//!
//! The results stand beside features that were built before they existed; they are empty until the game is over, and
//! for whoever did not play (incident 79: unplayed games once trained as zeros). What is missing is an empty cell, a
//! null in Parquet, and so is a default: a model must not learn from what nobody knew.

mod table;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use proto::tables::FeatureRow;
use proto::{Feature, FeatureSource, GameKey, Market, PlayerLookup, Price, Quote, league_time};
use rules::lines::{ChosenLine, LineContext, LinePolicy, choose, judge};
use warehouse::{AsOf, Warehouse};

use self::table::{Cell, Kind, Table};
use super::history::History;
use crate::error::{Error, Result};

/// Columns that say who and when.
const KEY: [&str; 4] = ["game_date", "game_id", "player_lookup", "team"];
/// What he did that night.
const RESULTS: [&str; 5] = ["minutes", "points", "rebounds", "assists", "threes"];

/// What to export.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// The first date.
    pub from: Date,
    /// The last date.
    pub to: Date,
    /// The file; `.csv` or `.parquet` says which.
    pub out: PathBuf,
    /// How the line is chosen, as for a batch.
    pub lines: LinePolicy,
}

/// Results of players who played, by [`RESULTS`].
type Results = HashMap<(GameKey, PlayerLookup), [f64; RESULTS.len()]>;

/// Writes the stored features of a range; answers the number of rows.
pub async fn export(warehouse: &Warehouse, request: &ExportRequest) -> Result<u64> {
    let ExportRequest { from, to, .. } = *request;
    if to < from {
        return Err(Error::Invalid(format!("the range ends {to}, before it begins {from}")));
    }
    let mut table = Table::create(&request.out, columns())?;
    let results = results(warehouse, from, to).await?;
    let mut history = History::new();
    history.add_games(warehouse.games_between(from, to).await?);
    let (mut date, mut rows) = (from, 0);
    while date <= to {
        let stored = warehouse.features_of(date).await?;
        if !stored.is_empty() {
            super::read_lines(warehouse, &mut history, date, newest_as_of(&stored)).await?;
            let snapshots = newest_snapshots(&history, &stored);
            for row in &stored {
                let newest = snapshots.get(&row.game_id).copied();
                table.push(record(row, &results, &chosen(row, &history, newest, &request.lines)))?;
                rows += 1;
            }
        }
        let Ok(next) = date.checked_add(1.day()) else { break };
        date = next;
    }
    table.close()?;
    Ok(rows)
}

/// The same with the default choice of lines.
pub async fn export_csv(warehouse: &Warehouse, from: Date, to: Date, out: &Path) -> Result<u64> {
    let request = ExportRequest { from, to, out: out.to_owned(), lines: LinePolicy::default() };
    export(warehouse, &request).await
}

fn columns() -> Vec<(String, Kind)> {
    let mut columns: Vec<(String, Kind)> = KEY.map(|name| (name.to_owned(), Kind::Text)).to_vec();
    columns.extend(RESULTS.map(|name| (name.to_owned(), Kind::Number)));
    for market in rules::line_features::markets() {
        columns.push((format!("{market}_chosen_book"), Kind::Text));
        for what in ["line", "over_price", "under_price"] {
            columns.push((format!("{market}_chosen_{what}"), Kind::Number));
        }
    }
    columns.extend(rules::contract().features.iter().map(|spec| (spec.name.clone(), Kind::Number)));
    columns
}

async fn results(warehouse: &Warehouse, from: Date, to: Date) -> Result<Results> {
    let end = to.checked_add(1.day()).unwrap_or(to);
    let as_of = AsOf::new(end, league_time::start_of(end));
    let rows = warehouse.player_games_before(&as_of, from).await?;
    let played = rows.into_iter().map(|row| row.row).filter(|row| row.minutes > 0.0);
    Ok(played
        .map(|row| {
            let done = [row.minutes, row.points, row.rebounds, row.assists, row.threes];
            ((row.game_id, row.player_lookup), done)
        })
        .collect())
}

fn newest_as_of(rows: &[FeatureRow]) -> Timestamp {
    rows.iter().map(|row| row.as_of).max().unwrap_or(Timestamp::MIN)
}

/// When each game was last quoted before its rows' as-of.
fn newest_snapshots(history: &History, rows: &[FeatureRow]) -> HashMap<GameKey, Timestamp> {
    let mut newest: HashMap<GameKey, Timestamp> = HashMap::new();
    for row in rows {
        let seen = history.quotes_of(&row.game_id, &row.player_lookup).iter().filter_map(|q| q.snapshot_at);
        for at in seen.filter(|at| *at < row.as_of) {
            let held = newest.entry(row.game_id).or_insert(at);
            *held = at.max(*held);
        }
    }
    newest
}

/// The line of each market that a batch as of the row would have chosen.
fn chosen(
    row: &FeatureRow,
    history: &History,
    newest: Option<Timestamp>,
    policy: &LinePolicy,
) -> Vec<Option<ChosenLine>> {
    let quotes = newest_of_books(history.quotes_of(&row.game_id, &row.player_lookup), row.as_of);
    let of_market = |name: &str| {
        let market: Market = name.parse().ok()?;
        let of_market: Vec<Quote> =
            quotes.iter().filter(|q| q.market == market).map(|q| (*q).clone()).collect();
        let context = LineContext {
            market,
            as_of: row.as_of,
            tip_off: history.tip_of(&row.game_id).unwrap_or(row.as_of),
            event_newest_snapshot: newest,
            backfill: row.game_id.date < league_time::league_date(row.built_at),
        };
        choose(&judge(&of_market, &context, policy).survivors, policy)
    };
    rules::line_features::markets().map(of_market).collect()
}

/// Market, event and book: where a quote comes from.
type Source<'a> = (&'a Market, Option<&'a str>, Option<&'a str>);

/// What a job holds: of each market, event and book the quotes of its newest snapshot.
fn newest_of_books(quotes: &[Quote], as_of: Timestamp) -> Vec<&Quote> {
    let known = || quotes.iter().filter(|quote| quote.snapshot_at.is_some_and(|at| at < as_of));
    let mut newest: HashMap<Source<'_>, Option<Timestamp>> = HashMap::new();
    for quote in known() {
        let held =
            newest.entry((&quote.market, quote.event_id.as_deref(), quote.book.as_deref())).or_default();
        *held = quote.snapshot_at.max(*held);
    }
    known()
        .filter(|quote| {
            let key = (&quote.market, quote.event_id.as_deref(), quote.book.as_deref());
            newest.get(&key).is_some_and(|at| *at == quote.snapshot_at)
        })
        .collect()
}

fn record(row: &FeatureRow, results: &Results, chosen: &[Option<ChosenLine>]) -> Vec<Cell> {
    let key = [
        row.game_id.date.to_string(),
        row.game_id.to_string(),
        row.player_lookup.to_string(),
        row.team.to_string(),
    ];
    let done = results.get(&(row.game_id, row.player_lookup.clone()));
    let mut cells: Vec<Cell> = key.map(Cell::Text).to_vec();
    cells.extend((0..RESULTS.len()).map(|at| done.map_or(Cell::Missing, |done| Cell::Number(done[at]))));
    for line in chosen {
        cells.extend(line.as_ref().map_or([const { Cell::Missing }; 4], |line| {
            let quote = &line.quote;
            [
                quote.book.as_ref().map_or(Cell::Missing, |book| Cell::Text(book.to_string())),
                Cell::Number(quote.line.points()),
                price(quote.over.as_ref()),
                price(quote.under.as_ref()),
            ]
        }));
    }
    cells.extend(row.vector.features.iter().map(feature));
    cells
}

/// Decimal odds, whatever the book wrote.
fn price(price: Option<&Price>) -> Cell {
    let decimal = price.and_then(|price| price.decimal().to_string().parse().ok());
    decimal.map_or(Cell::Missing, Cell::Number)
}

fn feature(feature: &Feature) -> Cell {
    let is_filled_in = matches!(feature.source, FeatureSource::Default | FeatureSource::Missing);
    if feature.defaulted || is_filled_in { Cell::Missing } else { Cell::Number(feature.value) }
}
