//! Intervals from resampling dates.
//!
//! A night's results hang together (a blowout takes minutes from everybody), so rows of one date are drawn together or not
//! at all. Every figure of a report is a ratio of two sums over rows (errors by rows, profit by stakes); summed up by date
//! once, a resample is a weighted sum over dates.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::Serialize;

use super::Options;

/// What the interval leaves out on either side.
const TAIL: f64 = 0.025;

/// A figure with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// Lower end of the interval; none below two dates, which have no spread.
    pub low: Option<f64>,
    /// Upper end, likewise.
    pub high: Option<f64>,
}

/// The generator of Steele, Lea and Flood, 2014: a counter through a mixer. Small, and the same everywhere.
#[derive(Debug, Clone)]
pub struct SplitMix(u64);

impl SplitMix {
    /// A generator that begins at `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, by the high half of a product; its bias is below `limit` / 2^64.
    pub fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next_u64()) * limit as u128) >> 64) as usize
    }
}

/// The dates of a set of rows, and how often each is in each resample.
#[derive(Debug, Clone)]
pub struct Days {
    dates: Vec<Date>,
    /// One entry per resample and date, resample after resample.
    times: Vec<u32>,
}

impl Days {
    /// Draws as many dates as there are, with replacement, as often as the options say.
    pub fn of(dates: impl IntoIterator<Item = Date>, options: Options) -> Self {
        let dates: Vec<Date> = dates.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let mut random = SplitMix::new(options.seed);
        let mut times = vec![0; dates.len() * options.resamples as usize];
        if !dates.is_empty() {
            for resample in times.chunks_exact_mut(dates.len()) {
                for _ in 0..dates.len() {
                    resample[random.below(dates.len())] += 1;
                }
            }
        }
        Self { dates, times }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.dates.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.dates.is_empty()
    }

    /// `sum of a / sum of b` over parts `(date, a, b)` with its interval; none when the b sum to nothing. Resamples
    /// without any b say nothing and are left out. A part of a date that is not among these is a caller's mistake and
    /// is left out too.
    pub fn ratio(&self, parts: impl IntoIterator<Item = (Date, f64, f64)>) -> Option<Estimate> {
        let mut sums = vec![(0.0, 0.0); self.dates.len()];
        for (date, above, below) in parts {
            if let Ok(at) = self.dates.binary_search(&date) {
                sums[at].0 += above;
                sums[at].1 += below;
            }
        }
        let value = quotient(sums.iter().map(|sum| (1, sum)))?;
        if sums.iter().filter(|(_, below)| *below > 0.0).count() < 2 {
            return Some(Estimate { value, low: None, high: None });
        }
        let resamples = self.times.chunks_exact(sums.len());
        let mut drawn: Vec<f64> =
            resamples.filter_map(|times| quotient(times.iter().copied().zip(&sums))).collect();
        drawn.sort_by(f64::total_cmp);
        Some(Estimate { value, low: quantile(&drawn, TAIL), high: quantile(&drawn, 1.0 - TAIL) })
    }
}

fn quotient<'a>(weighted: impl Iterator<Item = (u32, &'a (f64, f64))>) -> Option<f64> {
    let (above, below) = weighted.fold((0.0, 0.0), |(above, below), (times, sum)| {
        (above + f64::from(times) * sum.0, below + f64::from(times) * sum.1)
    });
    (below > 0.0).then(|| above / below)
}

/// Quantile of sorted numbers, linear between neighbours.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share * last as f64;
    let below = place.floor() as usize;
    let (low, high) = (*sorted.get(below)?, *sorted.get((below + 1).min(last))?);
    Some(low + (place - below as f64) * (high - low))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use jiff::ToSpan;
    use proptest::prelude::*;

    use super::*;

    fn day(n: usize) -> Date {
        Date::constant(2025, 10, 21) + (n as i64).days()
    }

    #[test]
    fn the_generator_is_the_published_one() {
        // First answers of the reference implementation for seed 1234567.
        let mut random = SplitMix::new(1_234_567);
        let first = [random.next_u64(), random.next_u64(), random.next_u64()];
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn quantiles_by_hand() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[7.0], 0.975), Some(7.0));
        assert_eq!(quantile(&[0.0, 10.0, 20.0, 40.0], 0.5), Some(15.0));
        assert_eq!(quantile(&[0.0, 10.0, 20.0, 40.0], 1.0), Some(40.0));
    }

    #[test]
    fn two_dates_give_the_interval_one_can_write_down() {
        // A resample is {1,1}, {1,2} or {2,2}: 1, 1.5 or 2, the outer ones a quarter of the time each.
        let days = Days::of([day(0), day(1)], Options::default());
        let found = days.ratio([(day(0), 1.0, 1.0), (day(1), 2.0, 1.0)]).unwrap();
        assert_eq!((found.value, found.low, found.high), (1.5, Some(1.0), Some(2.0)));
    }

    #[test]
    fn one_date_has_no_interval_and_no_rows_no_figure() {
        let days = Days::of([day(0), day(1)], Options::default());
        let one = days.ratio([(day(0), 3.0, 2.0), (day(0), 1.0, 2.0)]).unwrap();
        assert_eq!(one, Estimate { value: 1.0, low: None, high: None });
        assert_eq!(days.ratio([(day(0), 3.0, 0.0)]), None);
        assert_eq!(Days::of([], Options::default()).ratio([]), None);
    }

    #[test]
    fn a_seed_is_reproducible_and_another_one_is_another() {
        let parts = || (0..20).map(|n| (day(n), (n * n % 7) as f64, 1.0));
        let with = |seed| {
            let days = Days::of((0..20).map(day), Options { seed, resamples: 2_000 });
            days.ratio(parts()).unwrap()
        };
        assert_eq!(with(1), with(1));
        assert_ne!(with(1), with(2));
        assert_eq!(with(1).value, with(2).value);
    }

    #[test]
    fn the_interval_is_about_as_wide_as_the_theory_says() {
        // Mean of 100 dates with variance 1: standard error 0.1, so 95 % within 0.196.
        let days = Days::of((0..100).map(day), Options::default());
        let parts = (0..100).map(|n| (day(n), if n % 2 == 0 { 1.0 } else { -1.0 }, 1.0));
        let found = days.ratio(parts).unwrap();
        let (low, high) = (found.low.unwrap(), found.high.unwrap());
        assert!((0.17..0.23).contains(&high) && (-0.23..-0.17).contains(&low), "{found:?}");
    }

    proptest! {
        #[test]
        fn a_constant_series_has_an_interval_of_no_width(
            value in -50.0..50.0_f64, rows in prop::collection::vec(1..9_usize, 2..30), seed in any::<u64>(),
        ) {
            let days = Days::of((0..rows.len()).map(day), Options { seed, resamples: 200 });
            let parts = rows.iter().enumerate().map(|(n, rows)| (day(n), value * *rows as f64, *rows as f64));
            let found = days.ratio(parts).unwrap();
            for end in [found.value, found.low.unwrap(), found.high.unwrap()] {
                prop_assert!((end - value).abs() < 1e-9, "{found:?}");
            }
        }

        #[test]
        fn an_interval_lies_between_the_best_and_the_worst_date(
            values in prop::collection::vec(-9.0..9.0_f64, 2..30), seed in any::<u64>(),
        ) {
            let days = Days::of((0..values.len()).map(day), Options { seed, resamples: 200 });
            let found = days.ratio(values.iter().enumerate().map(|(n, value)| (day(n), *value, 1.0))).unwrap();
            let (low, high) = (found.low.unwrap(), found.high.unwrap());
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            prop_assert!(least - 1e-9 <= low && low <= high && high <= most + 1e-9, "{found:?}");
        }
    }
}
