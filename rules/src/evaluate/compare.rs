//! Two systems on the same rows: which one is better, and whether the dates can tell.
//!
//! Every figure is a mean over rows that both answered of what one paid minus what the other paid. Differences are
//! resampled as differences: two systems that read the same lines err together, and intervals of each alone would hide
//! what a pair shows.

use std::collections::HashMap;

use proto::{JobId, Line, Market, SystemId};
use serde::Serialize;

use super::bets::bet;
use super::correlate::pearson;
use super::errors::off;
use super::probability::{brier, log_loss, said};
use super::{Days, Estimate, Options, Scored, in_order};

/// Two systems in one market.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The market.
    pub market: Market,
    /// One system.
    pub a: SystemId,
    /// The other.
    pub b: SystemId,
    /// Rows both answered, at the same line.
    pub n: u64,
    /// Dates they are of.
    pub dates: u64,
    /// Rows of which only one has an answer, or at another line; they are in no figure.
    pub unpaired: u64,
    /// Rows on whose side both agree, of those where both have one.
    pub same_side: Option<f64>,
    /// Correlation (Pearson) of their errors.
    pub correlation: Option<f64>,
    /// Mean of |prediction - result|.
    pub mae: Paired,
    /// Mean of prediction - result: no side is better, zero is.
    pub bias: Paired,
    /// Mean squared distance of the probability from what happened; none where not both may be judged.
    pub brier: Option<Paired>,
    /// Mean of minus the logarithm of the probability of what happened, likewise.
    pub log_loss: Option<Paired>,
    /// Mean profit of one unit on each side that both take a side on, at the offered prices; a push brings nothing.
    pub profit: Option<Paired>,
}

/// One figure of both and their difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Paired {
    /// Rows.
    pub n: u64,
    /// Of the one.
    pub a: f64,
    /// Of the other.
    pub b: f64,
    /// The first minus the second.
    pub difference: Estimate,
    /// Who is better, if the interval of the difference leaves zero out; none for a tie and where neither sign is better.
    pub better: Option<SystemId>,
}

/// What is better about a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Better {
    Less,
    More,
    Neither,
}

/// Compares the rows of two systems in one market; none without a row that both answered. Rows of others are ignored.
pub fn compare(
    rows: &[Scored],
    market: &Market,
    a: &SystemId,
    b: &SystemId,
    options: Options,
) -> Option<Comparison> {
    let of = |system: &SystemId| {
        let rows = rows.iter().filter(|row| row.market == *market && row.system == *system);
        in_order(rows.filter(|row| row.is_finite()).collect())
    };
    let (of_a, of_b) = (of(a), of(b));
    let places: HashMap<(&JobId, Line), &Scored> =
        of_b.iter().map(|row| ((&row.job, row.line), *row)).collect();
    let pairs: Vec<(&Scored, &Scored)> =
        of_a.iter().filter_map(|row| Some((*row, *places.get(&(&row.job, row.line))?))).collect();
    let days = Days::of(pairs.iter().map(|(row, _)| row.date()), options);
    let side = Sides { pairs: &pairs, days: &days, a, b };
    let errors: Vec<(f64, f64)> =
        pairs.iter().map(|(a, b)| (a.predicted - a.actual, b.predicted - b.actual)).collect();
    Some(Comparison {
        market: market.clone(),
        a: a.clone(),
        b: b.clone(),
        n: pairs.len() as u64,
        dates: days.len() as u64,
        unpaired: (of_a.len() + of_b.len() - 2 * pairs.len()) as u64,
        same_side: same_side(&pairs),
        correlation: pearson(&errors),
        mae: side.paired(Better::Less, |row| Some(off(row)))?,
        bias: side.paired(Better::Neither, |row| Some(row.predicted - row.actual))?,
        brier: side.paired(Better::Less, |row| said(row).map(|said| brier(said.ours, said.over))),
        log_loss: side.paired(Better::Less, |row| said(row).map(|said| log_loss(said.ours, said.over))),
        profit: side.paired(Better::More, |row| bet(row).map(|bet| bet.profit)),
    })
}

/// The pairs, and who stands on which side.
struct Sides<'a> {
    pairs: &'a [(&'a Scored, &'a Scored)],
    days: &'a Days,
    a: &'a SystemId,
    b: &'a SystemId,
}

impl Sides<'_> {
    /// A figure over the pairs of which both have one.
    fn paired(&self, better: Better, of: impl Fn(&Scored) -> Option<f64>) -> Option<Paired> {
        let both: Vec<_> = self.pairs.iter().filter_map(|(a, b)| Some((a.date(), of(a)?, of(b)?))).collect();
        let mean = |of: fn(&(jiff::civil::Date, f64, f64)) -> f64| {
            self.days.ratio(both.iter().map(|row| (row.0, of(row), 1.0)))
        };
        let difference = mean(|row| row.1 - row.2)?;
        let (below, above) = match (difference.low, difference.high) {
            (Some(low), Some(high)) => (high < 0.0, low > 0.0),
            _ => (false, false),
        };
        let is_a_better = match better {
            Better::Less => below,
            Better::More => above,
            Better::Neither => false,
        };
        let is_b_better = better != Better::Neither && !is_a_better && (below || above);
        Some(Paired {
            n: both.len() as u64,
            a: mean(|row| row.1)?.value,
            b: mean(|row| row.2)?.value,
            difference,
            better: match (is_a_better, is_b_better) {
                (true, _) => Some(self.a.clone()),
                (false, true) => Some(self.b.clone()),
                (false, false) => None,
            },
        })
    }
}

fn same_side(pairs: &[(&Scored, &Scored)]) -> Option<f64> {
    let margin = |row: &Scored| row.predicted - row.line.points();
    let sided: Vec<bool> = pairs
        .iter()
        .map(|(a, b)| margin(a) * margin(b))
        .filter(|product| *product != 0.0)
        .map(|product| product > 0.0)
        .collect();
    let same = sided.iter().filter(|same| **same).count();
    (!sided.is_empty()).then(|| same as f64 / sided.len() as f64)
}
