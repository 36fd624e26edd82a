//! Features as small numbers: which thresholds lie below a value.
//!
//! An ensemble asks a feature against a limited set of thresholds. Sorted, they cut the line into bins, and every question
//! `x <= t` becomes `bin <= k`: one byte to compare instead of eight, and the comparison with all thresholds of a feature is
//! paid once per row, not once per tree. A [`Column`] holds up to 255 thresholds of one feature, so a bin is a byte; a feature
//! with more has several columns, and a feature whose missing values go both ways has one for each way.
//!
//! A column's thresholds are kept as a search tree by levels: level `l` has 2^l entries, and the one to ask is named by the
//! answers so far, the first answer being the lowest bit. That order lets a search run without branches, in registers.
//! The bin is the answers read backwards.
//!
//! The same thresholds stand a second time in sorted order, on a [`Ladder`], for kernels that can compare with many at once:
//! counting which of every sixteenth threshold lie below a value names the rung, and counting within the rung gives the bin.

use super::trees::{Ask, Ensemble, Node};

/// Rows that are binned and walked together: as many as one 512-bit register has bytes.
pub(super) const ROWS: usize = 64;
/// Thresholds of a column: what a byte can count.
const MOST_CUTS: usize = 255;
/// A search reads whole registers, so the last column is followed by this many entries that are never asked.
const READ_AHEAD: usize = 16;
/// Bits of a bin that a rung decides.
pub(super) const RUNG_LEVELS: u8 = 4;
/// Thresholds of a rung.
pub(super) const RUNG: usize = 1 << RUNG_LEVELS;

/// One byte for each of 64 rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub(super) struct Lane(pub(super) [u8; ROWS]);

/// Up to fifteen thresholds in order, in as much room as two 256-bit registers; the rest are infinite, which nothing exceeds.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(64))]
pub(super) struct Rung(pub(super) [f32; RUNG]);

/// Up to 255 thresholds of a feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Column {
    /// Place of the feature in a row.
    pub(super) feature: u32,
    /// Where in the cuts its search tree stands: level `l` at `start + 2^l - 1`.
    pub(super) start: u32,
    /// Where in the rungs its ladder stands.
    rung: u32,
    /// Levels of the tree, 1 to 8.
    pub(super) levels: u8,
    /// Whether a missing value is below every threshold (else it is above).
    pub(super) missing_is_yes: bool,
}

/// The thresholds, in the precision in which features are compared.
#[derive(Debug, Clone)]
pub(super) enum Cuts {
    /// The graph computes on `float`.
    F32(Vec<f32>),
    /// The graph computes on `double`.
    F64(Vec<f64>),
}

/// All columns of an ensemble.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    pub(super) list: Vec<Column>,
    pub(super) cuts: Cuts,
    /// The thresholds of all columns again, as ladders; none if they are doubles.
    rungs: Vec<Rung>,
}

/// A column's thresholds in order. With more than fifteen, every sixteenth chooses between rungs of the fifteen in between.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ladder<'a> {
    One(&'a Rung),
    Many { choices: &'a Rung, rungs: &'a [Rung] },
}

/// A question on bins: yes is `bin <= cut`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Question {
    column: u32,
    /// The cut in each of four bytes: loading four bytes into every place of a register is cheaper than loading one.
    cuts: u32,
}

impl Question {
    pub(super) fn new(column: usize, cut: u8) -> Question {
        Question { column: column as u32, cuts: u32::from_ne_bytes([cut; 4]) }
    }

    pub(super) fn column(self) -> usize {
        self.column as usize
    }

    pub(super) fn cut(self) -> u8 {
        self.cuts as u8
    }

    pub(super) fn cuts(self) -> u32 {
        self.cuts
    }

    pub(super) fn is_no(self, bin: u8) -> bool {
        bin > self.cut()
    }
}

/// What a threshold is sorted by: feature, the way of missing values, the value as an ordered integer.
type Key = (u32, bool, i64);

/// Most columns of an ensemble: beyond that their bins fit no cache, and the plain engine is as good.
const MOST_COLUMNS: usize = 1 << 16;

/// Finds the [`Question`] of a node.
#[derive(Debug)]
pub(super) struct Questions {
    /// Every different threshold, sorted.
    keys: Vec<Key>,
    /// For each key of `keys` that begins a column: its position; the column's number is the position here.
    begins: Vec<u32>,
    rounds_to_f32: bool,
}

impl Questions {
    /// Numbers every question of the ensemble; nothing when there are more columns than a question can name.
    pub(super) fn of(ensemble: &Ensemble) -> Option<Questions> {
        let mut keys = Vec::with_capacity(ensemble.nodes.len() / 2);
        for node in &ensemble.nodes {
            match node.ask {
                Ask::Leaf => {}
                Ask::AtMost => keys.push(key(node, node.value, ensemble.rounds_to_f32)),
                Ask::Equal => return None,
            }
        }
        keys.sort_unstable();
        keys.dedup();
        keys.shrink_to_fit();
        let mut begins: Vec<u32> = Vec::new();
        for (position, key) in keys.iter().enumerate() {
            let is_new = begins.last().is_none_or(|begin| {
                let first = keys[*begin as usize];
                (first.0, first.1) != (key.0, key.1) || position - *begin as usize == MOST_CUTS
            });
            if is_new {
                begins.push(position as u32);
            }
        }
        let rounds_to_f32 = ensemble.rounds_to_f32;
        (begins.len() <= MOST_COLUMNS).then_some(Questions { keys, begins, rounds_to_f32 })
    }

    /// The question of a branch of the ensemble they were made of.
    pub(super) fn question(&self, node: &Node) -> Question {
        let position = self.keys.partition_point(|other| *other < key(node, node.value, self.rounds_to_f32));
        let column = self.begins.partition_point(|begin| *begin as usize <= position) - 1;
        Question::new(column, (position - self.begins[column] as usize) as u8)
    }

    /// The columns whose bins the questions are about.
    pub(super) fn columns(&self) -> Columns {
        let mut list = Vec::with_capacity(self.begins.len());
        let (mut cuts, mut rungs): (Vec<f64>, Vec<Rung>) = (Vec::new(), Vec::new());
        for (number, begin) in self.begins.iter().enumerate() {
            let end = self.begins.get(number + 1).map_or(self.keys.len(), |end| *end as usize);
            let keys = &self.keys[*begin as usize..end];
            let levels = (usize::BITS - keys.len().leading_zeros()) as u8;
            list.push(Column {
                feature: keys[0].0,
                start: cuts.len() as u32,
                rung: rungs.len() as u32,
                levels,
                missing_is_yes: keys[0].1,
            });
            search_tree(keys, levels, &mut cuts);
            if self.rounds_to_f32 {
                ladder(keys, levels, &mut rungs);
            }
        }
        cuts.resize(cuts.len() + READ_AHEAD, f64::INFINITY);
        let cuts = if self.rounds_to_f32 {
            Cuts::F32(cuts.iter().map(|cut| *cut as f32).collect())
        } else {
            Cuts::F64(cuts)
        };
        Columns { list, cuts, rungs }
    }
}

/// Appends a column's thresholds level by level; places beyond the last threshold say no to being exceeded.
fn search_tree(keys: &[Key], levels: u8, cuts: &mut Vec<f64>) {
    for level in 0..levels {
        let span = 1_usize << (levels - level);
        for answers in 0..1_usize << level {
            // The answers so far, the first as the highest bit, say which part of the sorted list is left.
            let part =
                if level == 0 { 0 } else { answers.reverse_bits() >> (usize::BITS - u32::from(level)) };
            let middle = part * span + span / 2 - 1;
            cuts.push(keys.get(middle).map_or(f64::INFINITY, |key| value(key.2)));
        }
    }
}

/// Appends a column's ladder: the choices, if there is more than one rung, and the rungs.
fn ladder(keys: &[Key], levels: u8, rungs: &mut Vec<Rung>) {
    let rung = |keys: &mut dyn Iterator<Item = &Key>| {
        let mut thresholds = [f32::INFINITY; RUNG];
        let rung = thresholds[..RUNG - 1].iter_mut().zip(keys);
        rung.for_each(|(threshold, key)| *threshold = value(key.2) as f32);
        Rung(thresholds)
    };
    if levels > RUNG_LEVELS {
        rungs.push(rung(&mut keys.iter().skip(RUNG - 1).step_by(RUNG)));
    }
    for first in (0..1_usize << levels).step_by(RUNG) {
        rungs.push(rung(&mut keys.iter().skip(first)));
    }
}

fn key(node: &Node, threshold: f64, rounds_to_f32: bool) -> Key {
    let threshold = if rounds_to_f32 { round_down(threshold) } else { threshold };
    // Both zeros compare alike, so they must not become two thresholds.
    (node.feature, node.missing_is_yes, ordered(threshold + 0.0))
}

/// The largest `float` that is at most `value`: for a `float` x, `x <= value` asks the same of both.
fn round_down(value: f64) -> f64 {
    let near = value as f32;
    f64::from(if f64::from(near) > value { near.next_down() } else { near })
}

/// An integer that sorts as the number does, and back.
fn ordered(value: f64) -> i64 {
    let bits = value.to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

fn value(ordered: i64) -> f64 {
    f64::from_bits((ordered ^ (((ordered >> 63) as u64) >> 1) as i64) as u64)
}

impl Columns {
    /// All bins of one row, one after the other.
    pub(super) fn bin_row(&self, row: &[f64], bins: &mut [Lane]) {
        let bins = bins.iter_mut().flat_map(|lane| &mut lane.0);
        match &self.cuts {
            Cuts::F32(cuts) => {
                for (column, bin) in self.list.iter().zip(bins) {
                    let x = row[column.feature as usize] as f32;
                    *bin = column.bin(x.is_nan(), search(column, &cuts[column.start as usize..], x));
                }
            }
            Cuts::F64(_) => {
                self.list.iter().zip(bins).for_each(|(column, bin)| *bin = self.bin(column, row));
            }
        }
    }

    /// A column's thresholds in order, if they are floats.
    pub(super) fn ladder(&self, column: &Column) -> Ladder<'_> {
        let rungs = &self.rungs[column.rung as usize..];
        match column.levels.saturating_sub(RUNG_LEVELS) {
            0 => Ladder::One(&rungs[0]),
            bits => Ladder::Many { choices: &rungs[0], rungs: &rungs[1..1 + (1 << bits)] },
        }
    }

    /// The bin of a row's value.
    pub(super) fn bin(&self, column: &Column, row: &[f64]) -> u8 {
        let x = row[column.feature as usize];
        let start = column.start as usize;
        let bin = match &self.cuts {
            Cuts::F32(cuts) => search(column, &cuts[start..], x as f32),
            Cuts::F64(cuts) => search(column, &cuts[start..], x),
        };
        column.bin(x.is_nan(), bin)
    }
}

impl Column {
    /// A missing value exceeds nothing, so a search puts it below every threshold; here it goes above if it answers no.
    fn bin(&self, is_nan: bool, found: u8) -> u8 {
        if is_nan && !self.missing_is_yes { u8::MAX >> (8 - self.levels) } else { found }
    }
}

#[inline(always)]
fn search<T: Copy + PartialOrd>(column: &Column, cuts: &[T], x: T) -> u8 {
    let mut answers = 0_usize;
    for level in 0..column.levels {
        let cut = cuts[(1_usize << level) - 1 + answers];
        answers |= usize::from(x > cut) << level;
    }
    (answers as u8).reverse_bits() >> (8 - column.levels)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::native::kernels::{Isa, bin_row};
    use crate::native::trees::Aggregate;

    /// A chain that asks every threshold of feature 0.
    fn ensemble(thresholds: &[f64], rounds_to_f32: bool, missing_is_yes: bool) -> Ensemble {
        let nodes = thresholds
            .iter()
            .map(|value| Node { value: *value, yes: 0, no: 0, feature: 0, ask: Ask::AtMost, missing_is_yes })
            .collect();
        Ensemble {
            aggregate: Aggregate::Sum,
            heads: 1,
            base: vec![0.0],
            nodes,
            ends: Vec::new(),
            weights: Vec::new(),
            rounds_to_f32,
            after: Vec::new(),
        }
    }

    proptest! {
        /// Asking the bin is asking the value, for every threshold: missing, infinite, equal and near values too.
        #[test]
        fn a_question_on_bins_is_the_question_on_values(
            mut thresholds in proptest::collection::vec(-1e3..1e3_f64, 1..700),
            extremes in proptest::collection::vec(prop_oneof![Just(0.0), Just(-0.0), Just(f64::MAX), Just(f64::MIN), Just(f64::INFINITY), any::<f32>().prop_map(f64::from).prop_filter("finite", |x| x.is_finite())], 0..5),
            picks in proptest::collection::vec((any::<prop::sample::Index>(), -1..2_i32), 1..40),
            rounds_to_f32 in any::<bool>(),
            missing_is_yes in any::<bool>(),
        ) {
            thresholds.extend(extremes);
            let ensemble = ensemble(&thresholds, rounds_to_f32, missing_is_yes);
            let questions = Questions::of(&ensemble).expect("few columns");
            let columns = questions.columns();
            let mut values: Vec<f64> = vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0];
            values.extend(picks.iter().map(|(pick, by)| match by {
                -1 => pick.get(&thresholds).next_down(),
                0 => *pick.get(&thresholds),
                _ => pick.get(&thresholds).next_up(),
            }));
            for value in values {
                let x = if rounds_to_f32 { f64::from(value as f32) } else { value };
                for node in &ensemble.nodes {
                    let question = questions.question(node);
                    let bin = columns.bin(&columns.list[question.column()], &[value]);
                    let expected = x <= node.value || (x.is_nan() && missing_is_yes);
                    prop_assert_eq!(!question.is_no(bin), expected, "{} <= {}", x, node.value);
                    for isa in Isa::available() {
                        let mut lanes = vec![Lane([0; ROWS]); columns.list.len().div_ceil(ROWS)];
                        bin_row(isa, &columns, &[value], &mut lanes);
                        let bin = lanes[question.column() / ROWS].0[question.column() % ROWS];
                        prop_assert_eq!(!question.is_no(bin), expected, "{}: {} <= {}", isa.name(), x, node.value);
                    }
                }
            }
        }
    }

    #[test]
    fn more_thresholds_than_a_byte_counts_take_more_columns() {
        let thresholds: Vec<f64> = (0..600).map(f64::from).collect();
        let questions = Questions::of(&ensemble(&thresholds, true, false)).expect("few columns");
        let columns = questions.columns();
        assert_eq!(columns.list.iter().map(|column| column.levels).collect::<Vec<_>>(), [8, 8, 7]);
    }
}
