//! May this model be champion? The gates of a promotion, over rows whose results are known.
//!
//! The predecessor's gates were advisory: a failed one ended with exit code 0, the retraining script forced its way past the
//! check for duplicates, and models went live without a day in the shadow; its champion ended at 40 to 48 % (incident 83).
//! Here a promotion has to pass every gate, each with its figure, its threshold and a sentence, and too few bets to
//! judge is a gate that does not hold, not one that is skipped.
//!
//! Promised: [`judge`] names every gate, passed or not, in one order; a figure that is no number passes nothing; more
//! rows of other systems change nothing. No I/O, no clock.
//!
//! **Units.** The thresholds were stated for points. For the other markets those that are in a market's unit are scaled by
//! the error of the consensus line there over that for points (docs/accuracy.md): a margin of 3 points is as bold as one of
//! 0.68 threes. A market without such a scale has no thresholds and passes nothing.

use proto::{Market, SystemId};
use serde::Serialize;

use crate::evaluate::{Days, Estimate, Options, Scored, bet, in_order};

/// Whether a gate that does not hold refuses the promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// It does.
    Hard,
    /// It is said, and refuses nothing.
    Soft,
}

/// One gate and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gate {
    /// Stable name.
    pub gate: &'static str,
    /// Whether it can refuse.
    pub weight: Weight,
    /// True when it holds.
    pub passed: bool,
    /// What was measured; none where there was nothing to measure.
    pub figure: Option<Estimate>,
    /// What is asked of it.
    pub threshold: f64,
    /// Rows, bets or days behind the figure.
    pub n: u64,
    /// In words, with figure and threshold.
    pub sentence: String,
}

impl Gate {
    /// True when it refuses the promotion.
    pub fn refuses(&self) -> bool {
        !self.passed && self.weight == Weight::Hard
    }
}

/// What is known of a model beside its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Rows of dates on which it may have seen the results.
    pub in_sample: u64,
    /// Dates on which batches published rows of it.
    pub shadow_days: u64,
    /// Another model that was trained on the same window, or is the same one under another name.
    pub twin: Option<String>,
}

/// Thresholds, in a market's own unit where they are of one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// A margin from here on is a bet worth judging.
    pub edge: f64,
    /// And from here on a large one.
    pub large_edge: f64,
    /// Largest |mean(prediction - line)|.
    pub lean: f64,
    /// Largest |mean(prediction - result)| in each tier of players.
    pub tier_bias: f64,
    /// Lines from here on are of the second and third tier.
    pub tiers: [f64; 2],
    /// Mean absolute error that is looked at above this.
    pub mae: f64,
    /// Mean |margin| that is looked at below this.
    pub mean_edge: f64,
}

/// Hit rate at bets worth judging; the upper end of its interval counts, so that chance refuses nobody.
pub const MIN_HIT_RATE: f64 = 0.53;
/// So many of them.
pub const MIN_BETS: u64 = 40;
/// Hit rate of overs and of unders alone: what the usual price of -110 takes to break even, 110 / 210.
pub const MIN_SIDE_HIT_RATE: f64 = 0.524;
/// So many of each.
pub const MIN_SIDE_BETS: u64 = 20;
/// Hit rate at large margins.
pub const MIN_LARGE_HIT_RATE: f64 = 0.55;
/// So many of them.
pub const MIN_LARGE_BETS: u64 = 8;
/// Days in the shadow.
pub const MIN_SHADOW_DAYS: u64 = 2;
/// A tier with fewer rows says nothing about bias.
pub const MIN_TIER_ROWS: usize = 20;

impl Limits {
    /// The thresholds of a market; none for one whose unit has no scale yet.
    pub fn of(market: &Market) -> Option<Limits> {
        let scale = match market.as_str() {
            "points" => 1.0,
            "rebounds" => 0.41,
            "assists" => 0.31,
            "threes" => 0.23,
            _ => return None,
        };
        // To a hundredth: what is shown is what is compared.
        let scaled = |points: f64| (points * scale * 100.0).round() / 100.0;
        Some(Limits {
            edge: scaled(3.0),
            large_edge: scaled(5.0),
            lean: scaled(1.5),
            tier_bias: scaled(5.0),
            tiers: [scaled(10.0), scaled(20.0)],
            mae: scaled(5.5),
            mean_edge: scaled(3.0),
        })
    }
}

/// Judges a system for a market by its rows and its record. Rows of other systems and markets are ignored.
pub fn judge(
    rows: &[Scored],
    system: &SystemId,
    market: &Market,
    record: &Record,
    options: Options,
) -> Vec<Gate> {
    let mut gates = vec![no_overlap(record), no_twin(record), shadow_days(record)];
    let Some(limits) = Limits::of(market) else {
        gates.push(Gate {
            gate: "limits",
            weight: Weight::Hard,
            passed: false,
            figure: None,
            threshold: 0.0,
            n: 0,
            sentence: format!("no thresholds are stated for {market}"),
        });
        return gates;
    };
    let is_own = |row: &&Scored| row.system == *system && row.market == *market;
    let rows = in_order(rows.iter().filter(is_own).collect());
    let judged = Judged { days: Days::of(rows.iter().map(|row| row.date()), options), rows, limits };
    gates.extend(judged.hit_rates());
    gates.push(judged.lean());
    gates.extend(judged.tiers());
    gates.extend(judged.soft());
    gates
}

fn no_overlap(record: &Record) -> Gate {
    let n = record.in_sample;
    Gate {
        gate: "no_overlap",
        weight: Weight::Hard,
        passed: n == 0,
        figure: None,
        threshold: 0.0,
        n,
        sentence: match n {
            0 => "no row is of a day it was trained on".to_owned(),
            n => format!("{n} rows are of days it was trained on, 0 are allowed"),
        },
    }
}

fn no_twin(record: &Record) -> Gate {
    Gate {
        gate: "no_duplicate_window",
        weight: Weight::Hard,
        passed: record.twin.is_none(),
        figure: None,
        threshold: 0.0,
        n: u64::from(record.twin.is_some()),
        sentence: match &record.twin {
            None => "no other model of the system was trained on the same days".to_owned(),
            Some(twin) => format!("trained on the same days as {twin}, 0 such models are allowed"),
        },
    }
}

fn shadow_days(record: &Record) -> Gate {
    let n = record.shadow_days;
    Gate {
        gate: "shadow_days",
        weight: Weight::Hard,
        passed: n >= MIN_SHADOW_DAYS,
        figure: None,
        threshold: MIN_SHADOW_DAYS as f64,
        n,
        sentence: format!("published on {n} dates so far, {MIN_SHADOW_DAYS} are required"),
    }
}

/// The rows under judgement.
struct Judged<'a> {
    rows: Vec<&'a Scored>,
    days: Days,
    limits: Limits,
}

/// A gate on a hit rate.
struct HitRate {
    gate: &'static str,
    what: String,
    least: f64,
    bets: u64,
    /// Whether the interval's upper end counts instead of the figure.
    by_interval: bool,
}

impl Judged<'_> {
    fn hit_rates(&self) -> Vec<Gate> {
        let Limits { edge, large_edge, .. } = self.limits;
        let worth = HitRate {
            gate: "hit_rate",
            what: format!("bets at margins of {edge} or more"),
            least: MIN_HIT_RATE,
            bets: MIN_BETS,
            by_interval: true,
        };
        let large = HitRate {
            gate: "hit_rate_large",
            what: format!("bets at margins of {large_edge} or more"),
            least: MIN_LARGE_HIT_RATE,
            bets: MIN_LARGE_BETS,
            by_interval: false,
        };
        let side = |gate, name: &str| HitRate {
            gate,
            what: format!("{name} at margins of {edge} or more"),
            least: MIN_SIDE_HIT_RATE,
            bets: MIN_SIDE_BETS,
            by_interval: false,
        };
        vec![
            self.hit_rate(&worth, |margin| margin.abs() >= edge),
            self.hit_rate(&side("hit_rate_over", "overs"), |margin| margin >= edge),
            self.hit_rate(&side("hit_rate_under", "unders"), |margin| margin <= -edge),
            self.hit_rate(&large, |margin| margin.abs() >= large_edge),
        ]
    }

    /// Won of the decided bets whose margin is wanted; a push decides nothing.
    fn hit_rate(&self, asked: &HitRate, is_wanted: impl Fn(f64) -> bool) -> Gate {
        let wanted = self.rows.iter().filter(|row| is_wanted(row.predicted - row.line.points()));
        let decided: Vec<_> = wanted.filter_map(|row| Some((row.date(), bet(row)?.won?))).collect();
        let n = decided.len() as u64;
        let parts = decided.iter().map(|(date, won)| (*date, if *won { 1.0 } else { 0.0 }, 1.0));
        let figure = self.days.ratio(parts);
        let counts =
            |rate: &Estimate| if asked.by_interval { rate.high.unwrap_or(rate.value) } else { rate.value };
        let passed = n >= asked.bets && figure.as_ref().is_some_and(|rate| counts(rate) >= asked.least);
        let HitRate { what, least, bets, .. } = asked;
        let least_shown = percent(*least);
        let sentence = match &figure {
            _ if n < *bets => format!("{n} decided {what}, {bets} are required"),
            Some(rate) if asked.by_interval => format!(
                "{} of {n} {what} won{}; {least_shown} is required of the interval's upper end",
                percent(rate.value),
                interval(rate)
            ),
            Some(rate) => format!("{} of {n} {what} won; {least_shown} is required", percent(rate.value)),
            None => format!("no decided {what}, {bets} are required"),
        };
        Gate { gate: asked.gate, weight: Weight::Hard, passed, figure, threshold: *least, n, sentence }
    }

    fn lean(&self) -> Gate {
        let figure = self.mean(&self.rows, |row| row.predicted - row.line.points());
        let most = self.limits.lean;
        let shown = shown(&figure, |value| format!("{value:+.2}"));
        Gate {
            gate: "lean",
            weight: Weight::Hard,
            passed: figure.is_some_and(|mean| mean.value.abs() <= most),
            figure,
            threshold: most,
            n: self.rows.len() as u64,
            sentence: format!("the mean of prediction minus line is {shown}; {most} either way is allowed"),
        }
    }

    fn tiers(&self) -> Vec<Gate> {
        let [second, third] = self.limits.tiers;
        let most = self.limits.tier_bias;
        let ranges = [
            ("bias_low", 0.0, second, format!("lines below {second}")),
            ("bias_middle", second, third, format!("lines from {second} to below {third}")),
            ("bias_high", third, f64::INFINITY, format!("lines of {third} or more")),
        ];
        let gate = |(gate, from, to, what): (&'static str, f64, f64, String)| {
            let inside = |row: &&&Scored| (from..to).contains(&row.line.points());
            let rows: Vec<&Scored> = self.rows.iter().filter(inside).copied().collect();
            let figure = self.mean(&rows, |row| row.predicted - row.actual);
            let n = rows.len() as u64;
            let is_known = rows.len() >= MIN_TIER_ROWS;
            let shown = shown(&figure, |value| format!("{value:+.2}"));
            Gate {
                gate,
                weight: Weight::Hard,
                // A tier without players is no tier with a bias; one whose mean is no number is.
                passed: !is_known || figure.is_some_and(|bias| bias.value.abs() <= most),
                figure,
                threshold: most,
                n,
                sentence: match is_known {
                    true => format!("the bias at {what} is {shown}; {most} either way is allowed"),
                    false => format!("{n} rows at {what}, too few to have a bias"),
                },
            }
        };
        ranges.into_iter().map(gate).collect()
    }

    /// What is worth a look and refuses nobody: models that read the line agree with it, which is no fault.
    fn soft(&self) -> [Gate; 2] {
        let Limits { mae, mean_edge, .. } = self.limits;
        let error = self.mean(&self.rows, |row| (row.predicted - row.actual).abs());
        let edge = self.mean(&self.rows, |row| (row.predicted - row.line.points()).abs());
        let number = |figure: &Option<Estimate>| shown(figure, |value| format!("{value:.2}"));
        let gate = |gate, figure: Option<Estimate>, passed, threshold, sentence| Gate {
            gate,
            weight: Weight::Soft,
            passed,
            figure,
            threshold,
            n: self.rows.len() as u64,
            sentence,
        };
        let of_error = format!("the mean absolute error is {}; {mae} or less is usual", number(&error));
        let of_edge = format!("the mean margin is {}; {mean_edge} or more is bold", number(&edge));
        [
            gate("mae", error, error.is_some_and(|error| error.value <= mae), mae, of_error),
            gate("mean_edge", edge, edge.is_some_and(|edge| edge.value >= mean_edge), mean_edge, of_edge),
        ]
    }

    fn mean(&self, rows: &[&Scored], of: impl Fn(&Scored) -> f64) -> Option<Estimate> {
        self.days.ratio(rows.iter().map(|row| (row.date(), of(row), 1.0)))
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn interval(rate: &Estimate) -> String {
    match (rate.low, rate.high) {
        (Some(low), Some(high)) => format!(" [{}, {}]", percent(low), percent(high)),
        _ => String::new(),
    }
}

fn shown(figure: &Option<Estimate>, show: impl Fn(f64) -> String) -> String {
    figure.as_ref().map_or_else(|| "unknown".to_owned(), |figure| show(figure.value))
}

#[cfg(test)]
mod tests;
