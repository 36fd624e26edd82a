//! How far the answers were off, and how far the line was on the same rows.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;

use super::{Days, Estimate, Scored};

/// Errors in the market's unit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Errors {
    /// Mean of |prediction - result|.
    pub mae: Estimate,
    /// Mean of prediction - result: above zero means too high.
    pub bias: Estimate,
    /// Mean of |line - result|.
    pub line_mae: Estimate,
    /// The system's mean absolute error minus the line's: below zero means better than the line.
    pub mae_minus_line: Estimate,
}

/// The errors of one week.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Week {
    /// Its Monday.
    pub monday: Date,
    /// Rows.
    pub n: u64,
    /// Mean of |prediction - result|.
    pub mae: f64,
    /// Mean of |line - result|.
    pub line_mae: f64,
}

pub(super) fn off(row: &Scored) -> f64 {
    (row.predicted - row.actual).abs()
}

fn line_off(row: &Scored) -> f64 {
    (row.line.points() - row.actual).abs()
}

/// None without rows.
pub(super) fn errors(rows: &[&Scored], days: &Days) -> Option<Errors> {
    let mean = |of: &dyn Fn(&Scored) -> f64| days.ratio(rows.iter().map(|row| (row.date(), of(row), 1.0)));
    Some(Errors {
        mae: mean(&off)?,
        bias: mean(&|row| row.predicted - row.actual)?,
        line_mae: mean(&line_off)?,
        mae_minus_line: mean(&|row| off(row) - line_off(row))?,
    })
}

/// The same by week, in order.
pub(super) fn weeks(rows: &[&Scored]) -> Vec<Week> {
    let mut sums: BTreeMap<Date, (u64, f64, f64)> = BTreeMap::new();
    for row in rows {
        let since_monday = i64::from(row.date().weekday().to_monday_zero_offset());
        let monday = row.date().saturating_sub(since_monday.days());
        let sum = sums.entry(monday).or_default();
        *sum = (sum.0 + 1, sum.1 + off(row), sum.2 + line_off(row));
    }
    let week = |(monday, (n, mae, line)): (Date, (u64, f64, f64))| Week {
        monday,
        n,
        mae: mae / n as f64,
        line_mae: line / n as f64,
    };
    sums.into_iter().map(week).collect()
}
