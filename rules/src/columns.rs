//! Is a column of features alive? What never differs was never computed (incident 76: a spread of 0 for four months).
//!
//! One row cannot tell; fifty can. A column is judged over the rows of a build by what can differ at all: a night of
//! three games has six values of a team's pace, so columns of teams and games are judged over teams and games.
//! A [`Fault`] that blocks keeps the build from being stored; what was stored before stays.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use proto::features::{FeatureContract, FeatureGrain, FeatureSpec};
use proto::{Feature, FeatureSource, FeatureVector, GameKey, TeamCode};

/// From so many values on a column is judged.
pub const MIN_ROWS: u64 = 50;
/// From so many different teams or games on a column of theirs may not be constant.
const MIN_GROUPS_CONSTANT: usize = 5;
/// From so many different teams or games on a column of theirs must scatter as the contract says.
const MIN_GROUPS_FLOOR: usize = 20;
/// From so many dates on even what may be the same all night must scatter: after a break everybody is rested.
const MIN_DATES_FLOOR: usize = 20;
/// A build in which more than this share of a column is implausible is wrong in that column.
const IMPLAUSIBLE_SHARE: f64 = 0.05;
/// Fewer implausible values than this are single players' affairs.
const MIN_IMPLAUSIBLE: u64 = 5;

/// What a column looks like.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Column {
    /// The feature.
    pub name: String,
    /// Rows with a value of their own.
    pub values: u64,
    /// Rows with a default.
    pub defaulted: u64,
    /// Rows without anything.
    pub missing: u64,
    /// Values that were outside the range and therefore not believed; counted among defaulted or missing too.
    pub implausible: u64,
    /// Mean of the values; none without any.
    pub mean: Option<f64>,
    /// Population standard deviation of the values.
    pub std: Option<f64>,
    /// Smallest value.
    pub min: Option<f64>,
    /// Largest value.
    pub max: Option<f64>,
    /// What is wrong with it.
    pub fault: Option<Fault>,
}

/// What is wrong with a column.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// Every value is the same.
    Constant {
        /// The value.
        value: f64,
    },
    /// The values scatter less than the contract says they must.
    Flat {
        /// The contract's floor.
        floor: f64,
    },
    /// Too many values were outside the range.
    Implausible {
        /// Share of the rows, 0 to 1.
        share: f64,
    },
}

impl Fault {
    /// The fault in words.
    pub fn sentence(&self, column: &Column) -> String {
        let (name, n) = (&column.name, column.values);
        match self {
            Self::Constant { value } => format!("{name} is {value} in all {n} rows"),
            Self::Flat { floor } => {
                let std = column.std.unwrap_or(0.0);
                format!("{name} scatters by {std:.3} over {n} rows, at least {floor} is plausible")
            }
            Self::Implausible { share } => {
                format!("{name} is outside its range in {:.1} % of the rows", 100.0 * share)
            }
        }
    }
}

/// Columns of a build, filled row by row.
#[derive(Debug)]
pub struct Columns<'a> {
    contract: &'a FeatureContract,
    sums: Vec<Sum>,
    rows: u64,
    dates: BTreeSet<Date>,
}

#[derive(Debug, Default, Clone)]
struct Sum {
    values: Vec<f64>,
    defaulted: u64,
    missing: u64,
    implausible: u64,
    groups: BTreeSet<(GameKey, Option<TeamCode>)>,
}

impl<'a> Columns<'a> {
    /// No rows yet.
    pub fn new(contract: &'a FeatureContract) -> Self {
        Self {
            contract,
            sums: vec![Sum::default(); contract.features.len()],
            rows: 0,
            dates: BTreeSet::new(),
        }
    }

    /// Adds a row of this contract; a row of another width says nothing about these columns and is left out.
    pub fn add(&mut self, game: GameKey, team: TeamCode, vector: &FeatureVector) {
        if vector.features.len() != self.sums.len() {
            return;
        }
        self.rows += 1;
        self.dates.insert(game.date);
        for ((spec, feature), sum) in self.contract.features.iter().zip(&vector.features).zip(&mut self.sums)
        {
            if !is_own(feature) {
                let count = if feature.defaulted { &mut sum.defaulted } else { &mut sum.missing };
                *count += 1;
                continue;
            }
            sum.values.push(feature.value);
            if !spec.is_plausible(feature.value) {
                sum.implausible += 1;
            }
            match spec.grain {
                FeatureGrain::Player => {}
                FeatureGrain::Team => _ = sum.groups.insert((game, Some(team))),
                FeatureGrain::Game => _ = sum.groups.insert((game, None)),
            }
        }
    }

    /// Notes values that were left out of the rows because they were outside the range, by feature.
    pub fn note_implausible(&mut self, counts: &BTreeMap<usize, u64>) {
        for (at, n) in counts {
            if let Some(sum) = self.sums.get_mut(*at) {
                sum.implausible += n;
            }
        }
    }

    /// Every column with its verdict, in the order of the contract.
    pub fn judge(&self) -> Vec<Column> {
        self.contract.features.iter().zip(&self.sums).map(|(spec, sum)| self.column(spec, sum)).collect()
    }

    fn column(&self, spec: &FeatureSpec, sum: &Sum) -> Column {
        let n = sum.values.len();
        let mean = (n > 0).then(|| sum.values.iter().sum::<f64>() / n as f64);
        let variance = mean.map(|mean| sum.values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64);
        let column = Column {
            name: spec.name.clone(),
            values: n as u64,
            defaulted: sum.defaulted,
            missing: sum.missing,
            implausible: sum.implausible,
            mean,
            std: variance.map(f64::sqrt),
            min: sum.values.iter().copied().min_by(f64::total_cmp),
            max: sum.values.iter().copied().max_by(f64::total_cmp),
            fault: None,
        };
        Column { fault: self.fault(spec, &column, sum.groups.len()), ..column }
    }

    fn fault(&self, spec: &FeatureSpec, column: &Column, groups: usize) -> Option<Fault> {
        let share = column.implausible as f64 / self.rows.max(1) as f64;
        if column.implausible >= MIN_IMPLAUSIBLE && share > IMPLAUSIBLE_SHARE {
            return Some(Fault::Implausible { share });
        }
        let (min, max, std) = (column.min?, column.max?, column.std?);
        if column.values < MIN_ROWS {
            return None;
        }
        let is_of_players = spec.grain == FeatureGrain::Player;
        if min == max && !spec.may_be_constant && (is_of_players || groups >= MIN_GROUPS_CONSTANT) {
            return Some(Fault::Constant { value: min });
        }
        let floor = spec.std_floor.filter(|floor| std < *floor)?;
        let is_enough = match spec.may_be_constant {
            true => self.dates.len() >= MIN_DATES_FLOOR,
            false => is_of_players || groups >= MIN_GROUPS_FLOOR,
        };
        is_enough.then_some(Fault::Flat { floor })
    }
}

fn is_own(feature: &Feature) -> bool {
    let is_filled_in = matches!(feature.source, FeatureSource::Default | FeatureSource::Missing);
    !feature.defaulted && !is_filled_in && feature.value.is_finite()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;
    use crate::contract;
    use crate::gate::samples::vector;

    /// Rows of `games` games with two teams and ten players each, one feature set by `value`.
    fn judged(name: &str, games: usize, value: impl Fn(usize, usize, usize) -> f64) -> Column {
        let mut columns = Columns::new(contract());
        for game in 0..games {
            let key: GameKey = format!("202601{:02}_MIA_BOS", game + 1).parse().unwrap();
            for (side, team) in [key.away, key.home].into_iter().enumerate() {
                for player in 0..10 {
                    let feature = Feature::real(value(game, side, player), FeatureSource::Facts);
                    columns.add(key, team, &vector(&[(name, feature)]));
                }
            }
        }
        columns.judge().swap_remove(contract().position(name).unwrap())
    }

    fn fault_of(name: &str, games: usize, value: impl Fn(usize, usize, usize) -> f64) -> Option<Fault> {
        judged(name, games, value).fault
    }

    #[test]
    fn incident_76_a_constant_column_is_a_fault_over_what_it_can_differ() {
        let zero = |_: usize, _: usize, _: usize| 0.0;
        let constant = Some(Fault::Constant { value: 0.0 });
        assert_eq!(fault_of("spread_magnitude", 5, zero), constant, "both sides +4 and -4: the median was 0");
        assert_eq!(fault_of("spread_magnitude", 4, zero), None, "four games may have one spread");
        assert_eq!(fault_of("team_win_pct", 3, |_, _, _| 0.5), Some(Fault::Constant { value: 0.5 }));
        assert_eq!(fault_of("points_avg_last_5", 3, zero), constant);
        assert_eq!(fault_of("points_avg_last_5", 2, zero), None, "forty rows tell nothing");
        assert_eq!(fault_of("playoff_game", 15, zero), None, "a flag may be the same all night");
    }

    #[test]
    fn incident_76_what_hardly_differs_is_a_fault_too() {
        let little = |_: usize, _: usize, player: usize| 10.0 + player as f64 / 10.0;
        assert_eq!(fault_of("points_avg_last_5", 3, little), Some(Fault::Flat { floor: 3.0 }));
        assert_eq!(fault_of("points_avg_last_5", 3, |_, _, player| 3.0 * player as f64), None);
        // Everybody is rested after a break, but not for weeks (the fixture has a game a day).
        let rested = |_: usize, _: usize, _: usize| 100.0;
        assert_eq!(fault_of("fatigue_score", 19, rested), None);
        assert_eq!(fault_of("fatigue_score", 20, rested), Some(Fault::Flat { floor: 1.0 }));
        // Freshness kept as an adjustment, -5 to 0: outside the range, and flat.
        let adjustment = fault_of("fatigue_score", 3, |_, _, player| -5.0 + (player % 6) as f64);
        assert!(matches!(adjustment, Some(Fault::Implausible { share }) if share > 0.7), "{adjustment:?}");
        let spread = |game: usize, _: usize, _: usize| 5.0 + game as f64 / 100.0;
        assert_eq!(fault_of("spread_magnitude", 10, spread), None, "ten games are too few for a floor");
        assert_eq!(fault_of("spread_magnitude", 20, spread), Some(Fault::Flat { floor: 1.0 }));
    }

    #[test]
    fn what_is_filled_in_is_counted_and_not_judged() {
        let mut columns = Columns::new(contract());
        let key: GameKey = "20260123_MIA_BOS".parse().unwrap();
        for _ in 0..60 {
            let filled =
                [("team_win_pct", Feature::default_of(0.5)), ("spread_magnitude", Feature::missing())];
            columns.add(key, key.home, &vector(&filled));
        }
        columns.note_implausible(&BTreeMap::from([(0, 4)]));
        let all = columns.judge();
        let find = |name: &str| &all[contract().position(name).unwrap()];
        assert_eq!((find("team_win_pct").defaulted, find("team_win_pct").fault.clone()), (60, None));
        assert_eq!((find("spread_magnitude").missing, find("spread_magnitude").mean), (60, None));
        assert_eq!(find("points_avg_last_5").implausible, 4);
        assert!(!matches!(find("points_avg_last_5").fault, Some(Fault::Implausible { .. })), "four are few");
        columns.note_implausible(&BTreeMap::from([(0, 1)]));
        let column = columns.judge().swap_remove(0);
        assert_eq!(
            column.fault.as_ref().unwrap().sentence(&column).split(" is ").next(),
            Some("points_avg_last_5")
        );
        assert!(
            matches!(column.fault, Some(Fault::Implausible { share }) if (share - 5.0 / 60.0).abs() < 1e-12)
        );
    }
}
