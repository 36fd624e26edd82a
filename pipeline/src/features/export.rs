//! Features as a table for training: key, result, line, then each feature by name.
//!
//! The result stands beside features that were built before it existed; it is empty until the game is over, and for
//! whoever did not play (incident 79: unplayed games once trained as zeros). Missing values are empty cells.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use jiff::ToSpan;
use jiff::civil::Date;
use proto::tables::FeatureRow;
use proto::{GameKey, PlayerLookup, league_time};
use warehouse::{AsOf, Warehouse};

use crate::error::{Error, Result};

/// Columns before the features.
const KEY: [&str; 7] = ["game_date", "game_id", "player_lookup", "team", "minutes", "points", "line"];

/// Minutes and points of players who played.
type Results = HashMap<(GameKey, PlayerLookup), (f64, f64)>;

/// Writes the stored features of a range as CSV; answers the number of rows.
pub async fn export_csv(warehouse: &Warehouse, from: Date, to: Date, out: &Path) -> Result<u64> {
    let contract = rules::contract();
    let file = File::create(out).map_err(Error::write(out))?;
    let mut csv = csv::Writer::from_writer(BufWriter::new(file));
    let failed = |e: csv::Error| Error::write(out)(std::io::Error::other(e));
    let names = contract.features.iter().map(|spec| spec.name.as_str());
    csv.write_record(KEY.into_iter().chain(names)).map_err(failed)?;
    let results = results(warehouse, from, to).await?;
    let line_at = contract.position("vegas_points_line");
    let (mut date, mut rows) = (from, 0);
    while date <= to {
        for row in warehouse.features_of(date).await? {
            csv.write_record(record(&row, &results, line_at)).map_err(failed)?;
            rows += 1;
        }
        let Ok(next) = date.checked_add(1.day()) else { break };
        date = next;
    }
    csv.flush().map_err(Error::write(out))?;
    Ok(rows)
}

async fn results(warehouse: &Warehouse, from: Date, to: Date) -> Result<Results> {
    let end = to.checked_add(1.day()).unwrap_or(to);
    let as_of = AsOf::new(end, league_time::start_of(end));
    let rows = warehouse.player_games_before(&as_of, from).await?;
    let played = rows.into_iter().map(|row| row.row).filter(|row| row.minutes > 0.0);
    Ok(played.map(|row| ((row.game_id, row.player_lookup), (row.minutes, row.points))).collect())
}

fn record(row: &FeatureRow, results: &Results, line_at: Option<usize>) -> Vec<String> {
    let number = |value: f64| if value.is_finite() { value.to_string() } else { String::new() };
    let result = results.get(&(row.game_id, row.player_lookup.clone()));
    let line = line_at.and_then(|at| row.vector.features.get(at)).map_or(f64::NAN, |f| f.value);
    let key = [
        row.game_id.date.to_string(),
        row.game_id.to_string(),
        row.player_lookup.to_string(),
        row.team.to_string(),
        result.map_or(String::new(), |(minutes, _)| number(*minutes)),
        result.map_or(String::new(), |(_, points)| number(*points)),
        number(line),
    ];
    key.into_iter().chain(row.vector.features.iter().map(|f| number(f.value))).collect()
}
