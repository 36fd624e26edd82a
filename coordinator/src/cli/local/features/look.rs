//! Looking at stored features: one player's, two dates, two builds, all columns.

use jiff::Timestamp;
use jiff::civil::Date;
use pipeline::features::look::{self, own};
use proto::PlayerLookup;
use proto::tables::FeatureRow;
use serde::Serialize;
use warehouse::Warehouse;

use super::pages;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::local::tables::{date, failure, open_existing, stage_failure};
use crate::cli::output::Output;
use crate::config::Config;

/// Arguments of `tipoff features show`.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// The player: `lebronjames`, or the name in quotes
    #[arg(value_name = "PLAYER")]
    player: String,

    /// The date of the game
    #[arg(value_name = "DATE", default_value = "TODAY")]
    game_date: String,
}

/// Arguments of `tipoff features diff`.
#[derive(Debug, clap::Args)]
pub(crate) struct DiffArgs {
    /// The date
    #[arg(value_name = "DATE")]
    game_date: String,

    /// The date to compare it with; default: a build of the first one now
    #[arg(value_name = "OTHER")]
    other: Option<String>,

    /// Only this player
    #[arg(long, value_name = "PLAYER")]
    player: Option<String>,
}

/// Arguments of `tipoff features check`.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// The date, or the first of a range
    #[arg(long, value_name = "DATE", visible_alias = "game-date", default_value = "TODAY")]
    from: String,

    /// The last date of a range
    #[arg(long, value_name = "DATE")]
    to: Option<String>,
}

/// A row with everything that can be said about each value.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    pub(super) game_id: String,
    pub(super) player_lookup: String,
    pub(super) team: String,
    pub(super) contract: String,
    pub(super) quality_score: f64,
    pub(super) matchup_quality: f64,
    pub(super) required_default_count: u32,
    pub(super) as_of: Timestamp,
    pub(super) built_at: Timestamp,
    pub(super) features: Vec<ShownFeature>,
}

/// One value.
#[derive(Debug, Serialize)]
pub(super) struct ShownFeature {
    pub(super) index: u16,
    pub(super) name: String,
    /// None when it is missing.
    pub(super) value: Option<f64>,
    pub(super) source: String,
    pub(super) defaulted: bool,
    pub(super) required: bool,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) meaning: String,
}

/// One feature of one player on two dates.
#[derive(Debug, Serialize)]
pub(super) struct Pair {
    pub(super) feature: String,
    pub(super) first: Option<f64>,
    pub(super) second: Option<f64>,
}

/// `tipoff features show`.
pub(crate) async fn show(args: &ShowArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let day = date(&args.game_date, config)?;
    let player = player(&args.player)?;
    let warehouse = open_existing(config).await?;
    let row = row_of(&warehouse, &player, day).await?;
    out.either(&shown(&row), pages::shown)?;
    Ok(Exit::Ok)
}

/// Reads a lookup, or makes one of a name.
fn player(text: &str) -> Result<PlayerLookup, Failure> {
    text.parse().or_else(|_| proto::names::normalise(text).parse()).map_err(Failure::usage)
}

async fn row_of(warehouse: &Warehouse, player: &PlayerLookup, day: Date) -> Result<FeatureRow, Failure> {
    let rows = warehouse.features_of(day).await.map_err(failure)?;
    rows.into_iter().find(|row| row.player_lookup == *player).ok_or_else(|| {
        let missing = Failure::new(Exit::NotFound, format!("`{player}` has no features on {day}"));
        missing.hint(format!("`tipoff features build --game-date {day}` builds them for whoever may play"))
    })
}

fn shown(row: &FeatureRow) -> Shown {
    let specs = &rules::contract().features;
    let features = specs.iter().zip(&row.vector.features).map(|(spec, feature)| ShownFeature {
        index: spec.index,
        name: spec.name.clone(),
        value: Some(feature.value).filter(|value| value.is_finite()),
        source: feature.source.to_string(),
        defaulted: feature.defaulted,
        required: spec.required,
        min: spec.min,
        max: spec.max,
        meaning: spec.meaning.clone(),
    });
    Shown {
        game_id: row.game_id.to_string(),
        player_lookup: row.player_lookup.to_string(),
        team: row.team.to_string(),
        contract: row.vector.contract_version.clone(),
        quality_score: row.quality_score,
        matchup_quality: row.matchup_quality,
        required_default_count: row.required_default_count,
        as_of: row.as_of,
        built_at: row.built_at,
        features: features.collect(),
    }
}

/// `tipoff features diff`.
pub(crate) async fn diff(args: &DiffArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let first = date(&args.game_date, config)?;
    let only = args.player.as_deref().map(player).transpose()?;
    let warehouse = open_existing(config).await?;
    let Some(other) = &args.other else {
        let mut found = look::diff_builds(&warehouse, first, config.now()).await.map_err(stage_failure)?;
        if let Some(only) = &only {
            found.differences.retain(|difference| difference.player_lookup == *only);
        }
        let is_same =
            found.differences.is_empty() && found.only_stored.is_empty() && found.only_rebuilt.is_empty();
        out.either(&found, pages::builds)?;
        return Ok(if is_same { Exit::Ok } else { Exit::Degraded });
    };
    let second = date(other, config)?;
    let Some(only) = only else {
        let one = look::check(&warehouse, first, first).await.map_err(stage_failure)?;
        let two = look::check(&warehouse, second, second).await.map_err(stage_failure)?;
        out.either(&[&one, &two], |_| pages::columns_of_two(&one, &two))?;
        return Ok(Exit::Ok);
    };
    let one = row_of(&warehouse, &only, first).await?;
    let two = row_of(&warehouse, &only, second).await?;
    let values = one.vector.features.iter().zip(&two.vector.features);
    let pairs: Vec<Pair> = rules::contract()
        .features
        .iter()
        .zip(values)
        .map(|(spec, (one, two))| Pair { feature: spec.name.clone(), first: own(one), second: own(two) })
        .filter(|pair| pair.first != pair.second)
        .collect();
    out.either(&pairs, |pairs| pages::pairs(pairs, first, second))?;
    Ok(Exit::Ok)
}

/// `tipoff features check`.
pub(crate) async fn check(args: &CheckArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let from = date(&args.from, config)?;
    let to = args.to.as_deref().map(|to| date(to, config)).transpose()?.unwrap_or(from);
    let warehouse = open_existing(config).await?;
    let report = look::check(&warehouse, from, to).await.map_err(stage_failure)?;
    if report.rows == 0 {
        let missing = Failure::new(Exit::NotFound, format!("no features are stored from {from} to {to}"));
        return Err(missing.hint(format!("`tipoff features build --game-date {from}` builds them")));
    }
    out.either(&report, pages::check)?;
    Ok(if report.faults.is_empty() { Exit::Ok } else { Exit::Degraded })
}
