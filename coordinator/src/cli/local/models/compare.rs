//! `tipoff models compare`: two systems on the rows that both answered, and whether the dates can tell them apart.

use jiff::civil::Date;
use proto::{Market, SystemId};
use rules::evaluate::{Comparison, Options, Paired};
use serde::Serialize;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::local::evaluate::{LeftOut, Observed, interval, observe};
use crate::cli::local::tables::{date, open_existing};
use crate::cli::output::{Output, table};
use crate::config::Config;

/// Arguments of `tipoff models compare`.
#[derive(Debug, clap::Args)]
pub(super) struct CompareArgs {
    /// One system of `tipoff models list`, or `consensus_line` or `last_ten_average`
    a: SystemId,

    /// The other
    b: SystemId,

    /// The market
    #[arg(long, value_name = "MARKET", default_value = "points")]
    market: Market,

    /// The first date
    ///
    /// `YYYY-MM-DD`, league time. Each game is predicted as of its tip-off.
    #[arg(long, value_name = "DATE")]
    from: String,

    /// The last date
    #[arg(long, value_name = "DATE")]
    to: String,
}

/// The answer.
#[derive(Debug, Serialize)]
struct Compared {
    from: Date,
    to: Date,
    /// First days of the refits that answered; empty for one set of models.
    refits: Vec<Date>,
    /// Dates with games and without any feature row.
    without_features: Vec<Date>,
    /// Dates with games before the first refit.
    without_models: Vec<Date>,
    #[serde(flatten)]
    comparison: Comparison,
}

/// `tipoff models compare`.
pub(super) async fn compare(args: &CompareArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let (from, to) = (date(&args.from, config)?, date(&args.to, config)?);
    if to < from {
        return Err(Failure::usage(format!("--to {to} is before --from {from}")));
    }
    if args.a == args.b {
        return Err(Failure::usage(format!("{} is compared with itself: name two systems", args.a)));
    }
    let warehouse = open_existing(config).await?;
    // All systems of the market: a baseline is there wherever anybody has an answer.
    let observed =
        observe(&warehouse, config, config.models.as_deref(), (from, to), Some(&args.market)).await?;
    let (rows, options) = (&observed.gathered.scored, Options::default());
    let Some(comparison) = rules::evaluate::compare(rows, &args.market, &args.a, &args.b, options) else {
        return Err(nothing(args, &observed));
    };
    let is_whole = observed.is_whole();
    let gathered = observed.gathered;
    let compared = Compared {
        from,
        to,
        refits: gathered.refits.into_iter().collect(),
        without_features: gathered.without_features,
        without_models: gathered.without_models,
        comparison,
    };
    out.either(&compared, |compared| page(compared, options))?;
    if !out.json {
        for (what, dates) in [
            ("features", compared.without_features.as_slice()),
            ("models", compared.without_models.as_slice()),
        ] {
            if let [first, ..] = dates {
                out.say(&format!("left out: {} dates from {first} on have no {what}", dates.len()));
            }
        }
    }
    Ok(if is_whole { Exit::Ok } else { Exit::Degraded })
}

/// Why there is no pair, and what to do about it.
fn nothing(args: &CompareArgs, observed: &Observed) -> Failure {
    if observed.gathered.scored.is_empty() {
        return observed.nothing();
    }
    let has_rows = |system: &SystemId| {
        let mut rows = observed.gathered.scored.iter();
        rows.any(|row| row.system == *system && row.market == args.market)
    };
    let Some(silent) = [&args.a, &args.b].into_iter().find(|system| !has_rows(system)) else {
        let failure = format!("{} and {} have no row in common", args.a, args.b);
        return Failure::new(Exit::NotFound, failure);
    };
    let failure = Failure::new(Exit::NotFound, format!("{silent} has no row for {}", args.market));
    match observed.gathered.left_out.get(&(args.market.clone(), silent.clone())) {
        Some(LeftOut { in_sample, .. }) if *in_sample > 0 => failure.hint(format!(
            "all its {in_sample} rows are of days it was trained on: --from a later day, or --models with weekly refits"
        )),
        _ => failure.hint("`tipoff models list` shows systems and markets"),
    }
}

fn page(compared: &Compared, options: Options) -> String {
    let Compared { from, to, comparison, .. } = compared;
    let Comparison { market, a, b, n, dates, unpaired, .. } = comparison;
    let mut page = format!(
        "{market}, {from} to {to}: {n} rows of {dates} dates that both answered, {unpaired} that one did\n\
         [95 % intervals of the difference over dates, {} resamples]\n\n",
        options.resamples
    );
    let share = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), |share| format!("{share:.3}"));
    let row = |name: &str, figure: &Paired, digits: usize| {
        vec![
            name.to_owned(),
            figure.n.to_string(),
            format!("{:.digits$}", figure.a),
            format!("{:.digits$}", figure.b),
            interval(&figure.difference, |value| format!("{value:+.digits$}")),
            figure.better.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
        ]
    };
    let mut rows = vec![row("mae", &comparison.mae, 3), row("bias", &comparison.bias, 2)];
    rows.extend(comparison.brier.as_ref().map(|figure| row("brier", figure, 4)));
    rows.extend(comparison.log_loss.as_ref().map(|figure| row("log loss", figure, 4)));
    rows.extend(comparison.profit.as_ref().map(|figure| row("profit a bet", figure, 3)));
    let header = ["figure", "rows", a.as_str(), b.as_str(), "difference", "better"];
    page += &format!("{}\n\n", table(&header, &[1, 2, 3], rows));
    page + &format!(
        "on the same side {}, correlation of errors {}\n",
        share(comparison.same_side),
        share(comparison.correlation)
    )
}
