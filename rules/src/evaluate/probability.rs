//! Probabilities against what happened, beside the market's on the same rows.
//!
//! Only half-point lines count: on a whole number a push is neither over nor under.

use serde::Serialize;

use super::{Days, Estimate, Scored};

/// Bins of a reliability curve, of equal width from 0 to 1.
pub const BINS: usize = 10;

/// No certainty costs more than this lets it: the logarithm of nothing has no value.
const LEAST: f64 = 1e-6;

/// How good the probabilities were. Lower is better in every score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Probability {
    /// Rows with a probability and a half-point line.
    pub n: u64,
    /// Mean squared distance from what happened.
    pub brier: Estimate,
    /// The same of the no-vig market.
    pub market_brier: Estimate,
    /// The first minus the second: below zero means better than the market.
    pub brier_minus_market: Estimate,
    /// Mean of minus the logarithm of the probability of what happened.
    pub log_loss: Estimate,
    /// The same of the no-vig market.
    pub market_log_loss: Estimate,
    /// The first minus the second.
    pub log_loss_minus_market: Estimate,
    /// Said against happened, by what was said; bins without rows are left out.
    pub reliability: Vec<Bin>,
    /// The same of the no-vig market.
    pub market_reliability: Vec<Bin>,
}

/// A part of a reliability curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bin {
    /// Where it begins; it is a tenth wide.
    pub from: f64,
    /// Rows.
    pub n: u64,
    /// Mean of what was said.
    pub mean_probability: f64,
    /// Share that went over.
    pub share_over: f64,
}

/// One row: what the system said, what the market said, 1 for an over.
pub(super) struct Said {
    pub(super) ours: f64,
    market: f64,
    pub(super) over: f64,
}

/// None when no row has a probability that can be judged.
pub(super) fn judge(rows: &[&Scored], days: &Days) -> Option<Probability> {
    let said: Vec<_> = rows.iter().filter_map(|row| Some((row.date(), said(row)?))).collect();
    let mean = |of: &dyn Fn(&Said) -> f64| days.ratio(said.iter().map(|(date, said)| (*date, of(said), 1.0)));
    Some(Probability {
        n: said.len() as u64,
        brier: mean(&|said| brier(said.ours, said.over))?,
        market_brier: mean(&|said| brier(said.market, said.over))?,
        brier_minus_market: mean(&|said| brier(said.ours, said.over) - brier(said.market, said.over))?,
        log_loss: mean(&|said| log_loss(said.ours, said.over))?,
        market_log_loss: mean(&|said| log_loss(said.market, said.over))?,
        log_loss_minus_market: mean(&|said| {
            log_loss(said.ours, said.over) - log_loss(said.market, said.over)
        })?,
        reliability: reliability(said.iter().map(|(_, said)| (said.ours, said.over))),
        market_reliability: reliability(said.iter().map(|(_, said)| (said.market, said.over))),
    })
}

pub(super) fn said(row: &Scored) -> Option<Said> {
    let is_half_point = row.line.half_points() % 2 != 0;
    let line = row.line.points();
    if !is_half_point || row.actual == line {
        return None;
    }
    let over = if row.actual > line { 1.0 } else { 0.0 };
    Some(Said { ours: row.over_probability?, market: row.no_vig_over, over })
}

pub(super) fn brier(probability: f64, over: f64) -> f64 {
    (probability - over).powi(2)
}

pub(super) fn log_loss(probability: f64, over: f64) -> f64 {
    let of_what_happened = if over > 0.5 { probability } else { 1.0 - probability };
    -of_what_happened.clamp(LEAST, 1.0).ln()
}

fn reliability(said: impl Iterator<Item = (f64, f64)>) -> Vec<Bin> {
    let mut sums = [(0_u64, 0.0, 0.0); BINS];
    for (probability, over) in said {
        let bin = ((probability * BINS as f64).floor() as usize).min(BINS - 1);
        let sum = &mut sums[bin];
        *sum = (sum.0 + 1, sum.1 + probability, sum.2 + over);
    }
    let filled = sums.iter().enumerate().filter(|(_, (n, ..))| *n > 0);
    let bin = |(bin, (n, said, over)): (usize, &(u64, f64, f64))| Bin {
        from: bin as f64 / BINS as f64,
        n: *n,
        mean_probability: said / *n as f64,
        share_over: over / *n as f64,
    };
    filled.map(bin).collect()
}
