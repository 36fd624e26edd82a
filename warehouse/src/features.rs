//! Feature rows: one wide row per game, player and contract version, every bit of every value kept.

use jiff::Timestamp;
use jiff::civil::Date;
use proto::tables::FeatureRow;
use proto::{Feature, FeatureSource, FeatureVector};
use sqlx::AssertSqlSafe;

use crate::Warehouse;
use crate::contract::{Columns, FIXED};
use crate::error::{Doing, Error, Result};
use crate::history::{Args, fetch};
use crate::sqlite::bulk::{self, Cells, Insert};
use crate::sqlite::reader::Reader;
use crate::sqlite::{Conn, Durability};
use crate::text;

/// One letter per source in the packed column.
const fn letter(source: FeatureSource) -> char {
    match source {
        FeatureSource::Facts => 'f',
        FeatureSource::Calculated => 'c',
        FeatureSource::Odds => 'o',
        FeatureSource::OpponentHistory => 'h',
        FeatureSource::Default => 'd',
        FeatureSource::Missing => 'm',
    }
}

fn source_of(letter: char) -> Option<FeatureSource> {
    FeatureSource::ALL.iter().copied().find(|source| self::letter(*source) == letter)
}

impl Warehouse {
    /// Stores feature rows; a row of the same game, player and contract version is replaced.
    pub async fn put_features(&self, rows: &[FeatureRow]) -> Result<()> {
        let columns = self.columns();
        for row in rows {
            check(row, columns)?;
        }
        let mut names: Vec<&str> = FIXED.to_vec();
        names.extend(columns.features.iter().map(String::as_str));
        let conflict = replace_clause(&names);
        let into =
            Insert { table: "features", columns: &names, conflict: &conflict, doing: "store features" };
        let mut tx = self.store().write(Durability::Normal).await?;
        bulk::insert(&mut tx, &into, rows, write).await?;
        tx.commit().await.committing("store features")
    }

    /// The contract of rows of a date that were built for another one than this warehouse was opened with, if any.
    pub async fn other_contract_of(&self, game_date: Date) -> Result<Option<String>> {
        let mut tx = self.store().read().await?;
        let rows = rows_of_other_contracts(&mut tx, self.columns(), game_date).await?;
        Ok(rows.into_iter().next().map(|row| row.vector.contract_version))
    }

    /// The feature rows of a date under the contract this warehouse was opened with.
    pub async fn features_of(&self, game_date: Date) -> Result<Vec<FeatureRow>> {
        let mut tx = self.store().read().await?;
        features_of(&mut tx, self.columns(), game_date).await
    }
}

/// A row of another contract, or of another width, is refused before anything is written.
fn check(row: &FeatureRow, columns: &Columns) -> Result<()> {
    let vector = &row.vector;
    if vector.contract_version != columns.version {
        return Err(Error::Contract {
            version: vector.contract_version.clone(),
            why: format!(
                "this warehouse was opened with `{}`; open it with the row's contract",
                columns.version
            ),
        });
    }
    if vector.features.len() != columns.features.len() {
        return Err(Error::Inconsistent {
            what: format!(
                "features of `{}` in `{}` have {} values, contract `{}` has {}",
                row.player_lookup,
                row.game_id,
                vector.features.len(),
                columns.version,
                columns.features.len()
            ),
        });
    }
    Ok(())
}

fn replace_clause(names: &[&str]) -> String {
    let set: Vec<String> = names.iter().skip(3).map(|name| format!("{name} = excluded.{name}")).collect();
    format!("ON CONFLICT (game_id, player_lookup, contract_version) DO UPDATE SET {}", set.join(", "))
}

fn write(row: &FeatureRow, cells: &mut Cells) {
    let features = &row.vector.features;
    let sources: String = features.iter().map(|f| letter(f.source)).collect();
    let defaulted: String = features.iter().map(|f| if f.defaulted { '1' } else { '0' }).collect();
    cells.text(row.game_id).text(&row.player_lookup).text(&row.vector.contract_version);
    cells.date(row.game_id.date).text(row.team).real(row.quality_score).real(row.matchup_quality);
    cells.int(row.required_default_count.into()).text(sources).text(defaulted);
    cells.instant(row.as_of).instant(row.built_at).opt_instant(row.inputs_ingested_at);
    for feature in features {
        cells.real(feature.value);
    }
}

pub(crate) async fn features_of(
    conn: &mut Conn,
    columns: &Columns,
    game_date: Date,
) -> Result<Vec<FeatureRow>> {
    use futures::TryStreamExt;
    // The names were checked when the contract was adopted.
    let sql = format!(
        "SELECT {}, {} FROM features WHERE game_date = $1 AND contract_version = $2 ORDER BY game_id, player_lookup",
        FIXED.join(", "),
        columns.features.join(", ")
    );
    let mut rows =
        sqlx::query(AssertSqlSafe(sql)).bind(text::date(game_date)).bind(&columns.version).fetch(conn);
    // Read while the next ones are being found.
    let mut all = Vec::new();
    while let Some(row) = rows.try_next().await.doing("read features")? {
        all.push(read(&mut Reader::new(&row, "features"), columns.features.len())?);
    }
    Ok(all)
}

/// Rows of a date under other contracts than the one this warehouse was opened with. Their values are not read, for
/// their places mean something else (incident 84); every one is missing, and whoever is given such a row refuses it.
pub(crate) async fn rows_of_other_contracts(
    conn: &mut Conn,
    columns: &Columns,
    game_date: Date,
) -> Result<Vec<FeatureRow>> {
    let args = Args::default().with(text::date(game_date)).with(columns.version.clone());
    let sql = include_str!("../sql/features_of_others.sql");
    fetch(conn, sql, args, "features", "read features", |r| {
        Ok(FeatureRow {
            game_id: r.parsed()?,
            player_lookup: r.parsed()?,
            vector: FeatureVector {
                contract_version: r.text()?,
                features: vec![Feature::missing(); r.text()?.len()],
            },
            team: r.parsed()?,
            quality_score: r.real()?,
            matchup_quality: r.real()?,
            required_default_count: r.narrow()?,
            as_of: r.instant()?,
            built_at: r.instant()?,
            inputs_ingested_at: r.opt_instant()?,
        })
    })
    .await
}

fn read(r: &mut Reader<'_>, width: usize) -> Result<FeatureRow> {
    let game_id = r.parsed()?;
    let player_lookup = r.parsed()?;
    let contract_version = r.text()?;
    let _date: Date = r.date()?;
    let team = r.parsed()?;
    let quality_score = r.real()?;
    let matchup_quality = r.real()?;
    let required_default_count = r.narrow()?;
    let sources = r.text()?;
    let defaulted = r.text()?;
    let as_of: Timestamp = r.instant()?;
    let built_at = r.instant()?;
    let inputs_ingested_at = r.opt_instant()?;
    let bits: Vec<(char, char)> = sources.chars().zip(defaulted.chars()).collect();
    if bits.len() != width {
        return Err(Error::Corrupt {
            table: "features",
            why: format!("`{player_lookup}` in `{game_id}` has {} sources for {width} features", bits.len()),
        });
    }
    let mut features = Vec::with_capacity(width);
    for (letter, bit) in bits {
        let source = source_of(letter).ok_or_else(|| Error::Corrupt {
            table: "features",
            why: format!("`{letter}` is not a feature source"),
        })?;
        let value = r.opt_real()?.unwrap_or(f64::NAN);
        features.push(Feature { value, source, defaulted: bit == '1' });
    }
    Ok(FeatureRow {
        game_id,
        player_lookup,
        team,
        vector: FeatureVector { contract_version, features },
        quality_score,
        matchup_quality,
        required_default_count,
        as_of,
        built_at,
        inputs_ingested_at,
    })
}
