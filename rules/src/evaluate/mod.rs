//! How good were the answers? Statistics over predictions whose results are known.
//!
//! The predecessor compared its models with each other, on days they had been trained on, and never with the price it
//! would have paid. Here every figure stands beside the market's on the very same rows: the line's error beside the
//! model's, the no-vig probability's Brier score beside the model's. And because the rows of one night depend on each
//! other, each figure has an interval from resampling whole dates, not rows.
//!
//! Promised: the report depends on the rows, their number and the seed, not on their order; adding rows of one system and
//! market changes no figure of another (apart from correlations, which are between two). No I/O, no clock.
//!
//! **Words.** A *margin* is prediction minus line, its sign is the side that is bet. A *push* is a result on the line: the
//! stake comes back. Probabilities are judged on half-point lines only, where no push exists.

mod bets;
mod bootstrap;
mod compare;
mod correlate;
mod errors;
mod probability;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::civil::Date;
use proto::{JobId, Line, Market, Price, SystemId};
use serde::Serialize;

pub use self::bets::{Bet, Bucket, EDGES, bet};
pub use self::bootstrap::{Days, Estimate, SplitMix};
pub use self::compare::{Comparison, Paired, compare};
pub use self::correlate::Pair;
pub use self::errors::{Errors, Week};
pub use self::probability::{BINS, Bin, Probability};

/// An answer and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// The player and his game; its date is what is resampled.
    pub job: JobId,
    /// Who answered.
    pub system: SystemId,
    /// For which market.
    pub market: Market,
    /// The answer, in the market's unit.
    pub predicted: f64,
    /// The line it was compared with.
    pub line: Line,
    /// The result, in the market's unit.
    pub actual: f64,
    /// The system's probability of the over, if it gave one that may be judged.
    pub over_probability: Option<f64>,
    /// The market's, its margin taken out.
    pub no_vig_over: f64,
    /// Price of the over at that line.
    pub over_price: Price,
    /// Price of the under at that line.
    pub under_price: Price,
}

impl Scored {
    /// The day of the game.
    pub fn date(&self) -> Date {
        self.job.game.date
    }

    fn is_finite(&self) -> bool {
        let numbers = [self.predicted, self.actual, self.no_vig_over];
        numbers.iter().chain(&self.over_probability).all(|number| number.is_finite())
    }
}

/// How intervals are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Options {
    /// Where the random numbers begin; the same seed gives the same intervals.
    pub seed: u64,
    /// How often the dates are drawn anew.
    pub resamples: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 1, resamples: 2_000 }
    }
}

/// Every figure, by market and system.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// How the intervals were made; each holds 95 % of the resampled figures.
    pub options: Options,
    /// A market a part, by name.
    pub markets: Vec<MarketReport>,
    /// Rows with a number that is none; they are in no figure.
    pub not_finite: u64,
}

/// One market.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MarketReport {
    /// The market.
    pub market: Market,
    /// Its systems, the smallest mean absolute error first.
    pub systems: Vec<SystemReport>,
    /// How alike the errors of two systems are, each pair once.
    pub correlations: Vec<Pair>,
}

/// One system in one market.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SystemReport {
    /// The system.
    pub system: SystemId,
    /// Rows.
    pub n: u64,
    /// Dates they are of.
    pub dates: u64,
    /// The answers against the results, and the line on the same rows.
    pub errors: Errors,
    /// The probabilities against the results, and the market's on the same rows; none where there are none.
    pub probability: Option<Probability>,
    /// What betting every row on its side would have brought, by size of the margin.
    pub buckets: Vec<Bucket>,
    /// The errors by week.
    pub weeks: Vec<Week>,
}

/// Computes every figure of the rows.
pub fn evaluate(rows: &[Scored], options: Options) -> Report {
    let mut markets: BTreeMap<&Market, BTreeMap<&SystemId, Vec<&Scored>>> = BTreeMap::new();
    let mut not_finite = 0;
    for row in rows {
        if !row.is_finite() {
            not_finite += 1;
            continue;
        }
        markets.entry(&row.market).or_default().entry(&row.system).or_default().push(row);
    }
    let markets = markets.into_iter().map(|(market, systems)| {
        let systems: BTreeMap<&SystemId, Vec<&Scored>> =
            systems.into_iter().map(|(system, rows)| (system, in_order(rows))).collect();
        let mut reports: Vec<SystemReport> =
            systems.iter().filter_map(|(system, rows)| system_report(system, rows, options)).collect();
        reports.sort_by(|a, b| a.errors.mae.value.total_cmp(&b.errors.mae.value));
        MarketReport { market: market.clone(), systems: reports, correlations: correlate::pairs(&systems) }
    });
    Report { options, markets: markets.collect(), not_finite }
}

/// Sums of floats depend on their order, so that is fixed.
pub(crate) fn in_order(mut rows: Vec<&Scored>) -> Vec<&Scored> {
    rows.sort_by(|a, b| (a.date(), &a.job).cmp(&(b.date(), &b.job)));
    rows
}

fn system_report(system: &SystemId, rows: &[&Scored], options: Options) -> Option<SystemReport> {
    let days = Days::of(rows.iter().map(|row| row.date()), options);
    Some(SystemReport {
        system: system.clone(),
        n: rows.len() as u64,
        dates: days.len() as u64,
        errors: errors::errors(rows, &days)?,
        probability: probability::judge(rows, &days),
        buckets: bets::buckets(rows, &days),
        weeks: errors::weeks(rows),
    })
}
