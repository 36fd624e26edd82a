//! `tipoff slate`: what a slate has and lacks, before a start.

use std::collections::BTreeSet;

use jiff::Timestamp;
use pipeline::slate::{GameLine, SlateReport};
use proto::Market;

use super::sources::lost_sources;
use super::tables::{date, load_models, open_existing, stage_failure};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, table};
use crate::config::Config;

/// Arguments of `tipoff slate`.
#[derive(Debug, clap::Args)]
pub(crate) struct SlateArgs {
    /// The slate's date
    ///
    /// `YYYY-MM-DD`, `TODAY` or `TOMORROW`, league time.
    #[arg(value_name = "DATE", default_value = "TODAY")]
    game_date: String,

    /// As it was known at this instant
    ///
    /// RFC 3339. Default: now.
    #[arg(long, value_name = "INSTANT")]
    as_of: Option<Timestamp>,
}

/// `tipoff slate`.
pub(crate) async fn slate(args: &SlateArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let game_date = date(&args.game_date, config)?;
    let warehouse = open_existing(config).await?;
    let registry = load_models(config);
    let markets: BTreeSet<Market> = registry.pins().into_iter().map(|pin| pin.market).collect();
    let markets: Vec<Market> = markets.into_iter().collect();
    let as_of = args.as_of.unwrap_or_else(|| config.now());
    let mut report = pipeline::slate::slate(&warehouse, game_date, as_of, &markets, &config.staleness)
        .await
        .map_err(stage_failure)?;
    // Of what was known once, the health of today's sources says nothing.
    if args.as_of.is_none() {
        let is_ahead = |game: &GameLine| game.tip_off.is_some_and(|tip| tip > as_of);
        let games_ahead =
            proto::league_time::league_date(as_of) == game_date && report.games.iter().any(is_ahead);
        report.missing.extend(lost_sources(config, as_of, games_ahead).await?);
    }
    out.either(&report, page)?;
    Ok(if report.missing.is_empty() { Exit::Ok } else { Exit::Degraded })
}

fn page(report: &SlateReport) -> String {
    let rows = report.games.iter().map(|game| {
        let instant = |at: Option<Timestamp>| at.map(|at| format!("{at:.0}")).unwrap_or_default();
        vec![
            game.game_id.to_string(),
            game.status.clone(),
            instant(game.tip_off),
            game.players.to_string(),
            game.quoted.to_string(),
            game.quotes.to_string(),
            game.books.to_string(),
            game.features.to_string(),
            game.ready.to_string(),
            instant(game.newest_snapshot),
        ]
    });
    let header = [
        "game",
        "status",
        "tip-off",
        "players",
        "quoted",
        "quotes",
        "books",
        "features",
        "ready",
        "newest quote",
    ];
    let mut page = format!(
        "{} as of {:.0}: {} games, {} players, {} quoted by {} quotes, {} feature rows, {} of them ready\n\n{}\n",
        report.game_date,
        report.as_of,
        report.games.len(),
        report.players,
        report.quoted,
        report.quotes,
        report.features,
        report.ready,
        table(&header, &[3, 4, 5, 6, 7, 8], rows)
    );
    if report.missing.is_empty() {
        page += "\nnothing is missing\n";
    } else {
        page += "\nmissing\n";
        page.extend(report.missing.iter().map(|missing| format!("  {missing}\n")));
    }
    page
}
