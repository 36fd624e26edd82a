//! `tipoff models evaluate`: how good the answers would have been on days that are over.
//!
//! What is evaluated is what would have been published: every game as of its own tip-off, through the same load, gates,
//! models and row checks as a batch ([`gather`]), with the models that had been trained by then ([`walk`]); the figures are
//! [`rules::evaluate`]'s. A row whose model may have seen the result is counted and left out, never scored.

mod gather;
mod html;
mod page;
mod plot;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;
use proto::{Market, SystemId};
use rules::evaluate::{Options, Report};
use serde::Serialize;
use warehouse::Warehouse;
use workers::Rulebook;

pub(super) use self::gather::LeftOut;
use self::gather::{CONSENSUS, Gathered, LAST_TEN, Window, gather};
pub(super) use self::page::with_interval as interval;
use self::walk::Walk;
use super::tables::{date, open_existing};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::progress::ProgressLine;
use crate::config::Config;
use crate::service::RefusedInfo;

/// Arguments of `tipoff models evaluate`.
#[derive(Debug, clap::Args)]
pub(crate) struct EvaluateArgs {
    /// The first date
    ///
    /// `YYYY-MM-DD`, league time. Each game is predicted as of its tip-off.
    #[arg(long, value_name = "DATE")]
    from: String,

    /// The last date
    #[arg(long, value_name = "DATE")]
    to: String,

    /// One market instead of all
    #[arg(long, value_name = "MARKET")]
    market: Option<Market>,

    /// Write a page with plots too
    ///
    /// One HTML file that needs nothing else.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Rows that are in no figure.
#[derive(Debug, Serialize)]
struct LeftOutRow {
    market: Market,
    system: SystemId,
    #[serde(flatten)]
    rows: LeftOut,
}

/// The answer: what was evaluated, what was not, and the figures.
#[derive(Debug, Serialize)]
struct Evaluation {
    from: Date,
    to: Date,
    games: u64,
    /// First days of the refits that answered; empty for one set of models.
    refits: Vec<Date>,
    /// Players by how their jobs ended.
    jobs: BTreeMap<String, u64>,
    left_out: Vec<LeftOutRow>,
    without_features: Vec<Date>,
    without_models: Vec<Date>,
    refused_models: Vec<RefusedInfo>,
    report: Report,
}

/// `tipoff models evaluate`.
pub(crate) async fn evaluate(args: &EvaluateArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let (from, to) = (date(&args.from, config)?, date(&args.to, config)?);
    if to < from {
        return Err(Failure::usage(format!("--to {to} is before --from {from}")));
    }
    let warehouse = open_existing(config).await?;
    let market = args.market.as_ref();
    let observed = observe(&warehouse, config, config.models.as_deref(), (from, to), market).await?;
    let is_whole = observed.is_whole();
    if observed.gathered.scored.is_empty() {
        return Err(observed.nothing());
    }
    let report = rules::evaluate::evaluate(&observed.gathered.scored, Options::default());
    let evaluation = evaluation(observed, report);
    if let Some(path) = &args.html {
        std::fs::write(path, html::page(&evaluation))
            .map_err(|error| Failure::failed(format!("write `{}`: {error}", path.display())))?;
    }
    out.either(&evaluation, page::page)?;
    if let (Some(path), false) = (&args.html, out.json) {
        out.say(&format!("the page with plots is `{}`", path.display()));
    }
    Ok(if is_whole { Exit::Ok } else { Exit::Degraded })
}

/// What was found in a window of dates, for whoever judges it.
pub(super) struct Observed {
    pub(super) from: Date,
    pub(super) to: Date,
    pub(super) gathered: Gathered,
    walk: Walk,
}

/// Predicts every game of the dates as it would have been, and joins the results. `models` is a folder of cards or of
/// refits; none: the embedded set.
pub(super) async fn observe(
    warehouse: &Warehouse,
    config: &Config,
    models: Option<&Path>,
    (from, to): (Date, Date),
    market: Option<&Market>,
) -> Result<Observed, Failure> {
    let mut walk = Walk::over(models)?;
    let rulebook = Rulebook { lines: Arc::new(config.lines.clone()), ..Rulebook::default() };
    let window = Window { from, to, market, rulebook: &rulebook, min_minutes: config.min_minutes };
    let line = ProgressLine::bar();
    let total = i64::from((to - from).get_days()) as u64 + 1;
    let tell = |date: Date, rows: usize| {
        let done = i64::from((date - from).get_days()) as u64;
        line.show(done, total, format!("{date}: {rows} rows so far"));
    };
    let gathered = gather(warehouse, &mut walk, &window, tell).await?;
    Ok(Observed { from, to, gathered, walk })
}

impl Observed {
    /// True when every date had what it needs and every model could run.
    pub(super) fn is_whole(&self) -> bool {
        let Gathered { without_features, without_models, .. } = &self.gathered;
        without_features.is_empty() && without_models.is_empty() && self.walk.refused().is_empty()
    }

    /// Why there is no row at all, and what to do about it.
    pub(super) fn nothing(&self) -> Failure {
        nothing(&self.gathered, &self.walk, self.from, self.to)
    }
}

/// True for what needs no model.
fn is_baseline(system: &SystemId) -> bool {
    [CONSENSUS, LAST_TEN].contains(&system.as_str())
}

fn evaluation(observed: Observed, report: Report) -> Evaluation {
    let Observed { from, to, gathered, walk } = observed;
    let left_out =
        gathered.left_out.into_iter().map(|((market, system), rows)| LeftOutRow { market, system, rows });
    Evaluation {
        from,
        to,
        games: gathered.games,
        refits: gathered.refits.into_iter().collect(),
        jobs: gathered.jobs,
        left_out: left_out.collect(),
        without_features: gathered.without_features,
        without_models: gathered.without_models,
        refused_models: walk.refused(),
        report,
    }
}

/// Why there is nothing to show, and what to do about it.
fn nothing(gathered: &Gathered, walk: &Walk, from: Date, to: Date) -> Failure {
    let not_found = |what: String| Failure::new(Exit::NotFound, what);
    let sum = |of: fn(&LeftOut) -> u64| gathered.left_out.values().map(of).sum::<u64>();
    let failure = if gathered.games == 0 && gathered.without_models.is_empty() {
        not_found(format!("no games from {from} to {to}"))
            .hint("`tipoff ingest PATH…` brings schedule, box scores and odds in")
    } else if let (0, Some(first)) = (gathered.games, gathered.without_models.first()) {
        not_found(format!("no folder of models is named {first} or earlier"))
            .hint("name one by the first day it is to answer for, or begin with --from at the first of them")
    } else if gathered.jobs.is_empty() && !gathered.without_features.is_empty() {
        not_found(format!("no features from {from} to {to}"))
            .hint(format!("`tipoff features build --game-date {from} --to {to}` makes them"))
    } else if sum(|left_out| left_out.in_sample) > 0 {
        let rows = sum(|left_out| left_out.in_sample);
        Failure::failed(format!("all {rows} rows are of models whose training reaches their date"))
            .hint("--models names models that were trained only on what came before, e.g. weekly refits in DIR/2025-10-27/")
    } else if sum(|left_out| left_out.no_result) > 0 {
        not_found(format!("no box scores from {from} to {to}")).hint("`tipoff ingest PATH…` brings them in")
    } else if gathered.jobs.is_empty() {
        let failure = not_found("no model answers for what was asked".to_owned());
        failure.hint("`tipoff models` lists them and says which were refused")
    } else {
        let reasons: Vec<String> =
            gathered.jobs.iter().map(|(code, players)| format!("{code} {players}")).collect();
        not_found(format!("no player from {from} to {to} could be predicted: {}", reasons.join(", ")))
            .hint(format!("`tipoff slate {from}` says what is missing"))
    };
    let refused = walk.refused();
    match refused.first() {
        None => failure,
        Some(first) => {
            failure.hint(format!("{} models were refused; {}: {}", refused.len(), first.name, first.reason))
        }
    }
}
