//! The three ways to run a compiled forest, and the choice between them.
//!
//! All of them bin a block of 64 rows, find each row's leaf in each tree, and add leaves up in `f64`, tree after tree. They
//! differ in the registers they do it with, never in an answer: which leaf a row reaches is decided by comparing bytes, and
//! every row has its own accumulator, to which leaves are added in the order of the model.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod beside;
mod portable;

use super::columns::{Columns, Lane, ROWS};
use super::forest::{Beside, Forest, Run, SIDE_BY_SIDE, Weights};

/// Instructions that a forest runs with.
///
/// A value exists only where the processor has them: [`Isa::best`] and [`Isa::named`] look before they answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Set);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    /// F, BW, VL and VBMI: Intel since Ice Lake, AMD since Zen 4.
    Avx512,
    /// AVX2 and POPCNT: Intel since Haswell, AMD since Excavator.
    Avx2,
    /// What every processor of the architecture can do.
    Portable,
}

impl Isa {
    /// The fastest that this processor has.
    pub fn best() -> Isa {
        Isa::available().next().unwrap_or(Isa(Set::Portable))
    }

    /// All that this processor has, the fastest first.
    pub fn available() -> impl Iterator<Item = Isa> {
        [Set::Avx512, Set::Avx2, Set::Portable].into_iter().filter(|set| set.is_here()).map(Isa)
    }

    /// The one with this name (`avx512`, `avx2`, `portable`), if this processor has it.
    pub fn named(name: &str) -> Option<Isa> {
        Isa::available().find(|isa| isa.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self.0 {
            Set::Avx512 => "avx512",
            Set::Avx2 => "avx2",
            Set::Portable => "portable",
        }
    }
}

impl Set {
    #[cfg(target_arch = "x86_64")]
    fn is_here(self) -> bool {
        match self {
            Set::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vbmi")
            }
            Set::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt"),
            Set::Portable => true,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn is_here(self) -> bool {
        self == Set::Portable
    }
}

/// Up to 64 rows, one after the other in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    values: &'a [f64],
    width: usize,
    count: usize,
}

impl<'a> Rows<'a> {
    /// `values` holds 1 to 64 rows of `width` features.
    pub(super) fn new(values: &'a [f64], width: usize) -> Rows<'a> {
        let count = values.len() / width;
        assert!((1..=ROWS).contains(&count), "{count} rows are no block");
        Rows { values, width, count }
    }

    fn row(&self, index: usize) -> &'a [f64] {
        &self.values[index * self.width..][..self.width]
    }
}

/// Memory that kernels work in.
#[derive(Debug, Clone)]
pub(super) struct Scratch {
    /// Where small trees are merged: 256 lanes that are the leaf numbers, then one for each merge.
    lanes: Vec<Lane>,
    /// What a no at each level adds to a leaf's number. Constants in the code would be turned into longer code.
    powers: Box<[Lane; 8]>,
}

impl Scratch {
    pub(super) fn new(forest: &Forest) -> Scratch {
        let mut lanes = Vec::new();
        if forest.small_leaves > 0 {
            lanes.extend((0..=255).map(|leaf| Lane([leaf; ROWS])));
            lanes.resize(256 + forest.small_leaves, Lane([0; ROWS]));
        }
        Scratch { lanes, powers: Box::new(std::array::from_fn(|level| Lane([1 << level; ROWS]))) }
    }
}

/// Writes the bins of a block: one lane for each column. Rows beyond the block get any bin.
pub(super) fn bin(isa: Isa, columns: &Columns, rows: Rows<'_>, lanes: &mut [Lane]) {
    match isa.0 {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this set exists only after its features were detected.
        #[expect(unsafe_code, reason = "calls code for instructions that were detected")]
        Set::Avx512 => unsafe { avx512::bin(columns, rows, lanes) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this set exists only after its features were detected.
        #[expect(unsafe_code, reason = "calls code for instructions that were detected")]
        Set::Avx2 => unsafe { avx2::bin(columns, rows, lanes) },
        _ => portable::bin(columns, rows, lanes),
    }
}

/// Writes the bins of one row, one byte for each column.
pub(super) fn bin_row(isa: Isa, columns: &Columns, row: &[f64], bins: &mut [Lane]) {
    match isa.0 {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this set exists only after its features were detected.
        #[expect(unsafe_code, reason = "calls code for instructions that were detected")]
        Set::Avx2 => unsafe { avx2::bin_row(columns, row, bins) },
        _ => columns.bin_row(row, bins),
    }
}

/// The bins of some blocks: the lanes of a block's columns, and behind them one that is 255 everywhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocks<'a> {
    lanes: &'a [Lane],
    stride: usize,
    rows: usize,
}

impl<'a> Blocks<'a> {
    /// `lanes` holds `stride` lanes for each block of the `rows`, or more than those.
    pub(super) fn new(lanes: &'a [Lane], stride: usize, rows: usize) -> Blocks<'a> {
        let blocks = rows.div_ceil(ROWS);
        Blocks { lanes: &lanes[..blocks * stride], stride, rows }
    }

    /// Each block's lanes.
    fn iter(self) -> impl Iterator<Item = &'a [Lane]> {
        self.lanes.chunks_exact(self.stride)
    }
}

/// Adds the leaves of a run's trees, in order, to the sums of some blocks whose lanes [`bin`] wrote for the same `isa`. Sums
/// of the last block that belong to no row may change as well.
pub(super) fn add(
    isa: Isa,
    forest: &Forest,
    run: &Run,
    weights: &Weights,
    blocks: Blocks<'_>,
    scratch: &mut Scratch,
    sums: &mut [[f64; ROWS]],
) {
    match isa.0 {
        #[cfg(target_arch = "x86_64")]
        Set::Avx512 => {
            for (lanes, sums) in blocks.iter().zip(sums) {
                // SAFETY: an `Isa` of this set exists only after its features were detected.
                #[expect(unsafe_code, reason = "calls code for instructions that were detected")]
                unsafe {
                    avx512::add(forest, run, weights, lanes, scratch, sums);
                }
            }
        }
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this set exists only after its features were detected.
        #[expect(unsafe_code, reason = "calls code for instructions that were detected")]
        Set::Avx2 => unsafe { avx2::add(forest, run, weights, blocks, scratch, sums) },
        _ => {
            for (lanes, sums) in blocks.iter().zip(sums) {
                portable::add(forest, run, weights, lanes, scratch, sums);
            }
        }
    }
}

/// The leaves that one row reaches in the trees of a run, if this set can take them side by side.
pub(super) fn beside(isa: Isa, beside: &Beside, bins: &[Lane]) -> Option<Lane> {
    match isa.0 {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this set exists only after its features were detected.
        #[expect(unsafe_code, reason = "calls code for instructions that were detected")]
        Set::Avx512 => Some(unsafe { beside::leaves(beside, bins) }),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this set exists only after its features were detected.
        #[expect(unsafe_code, reason = "calls code for instructions that were detected")]
        Set::Avx2 => Some(unsafe { avx2::beside_leaves(beside, bins) }),
        _ => None,
    }
}

/// The weights of those leaves.
pub(super) fn beside_weights(isa: Isa, beside: &Beside, leaves: &Lane, list: &[f32]) -> [f32; SIDE_BY_SIDE] {
    match isa.0 {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this set exists only after its features were detected.
        #[expect(unsafe_code, reason = "calls code for instructions that were detected")]
        Set::Avx512 => unsafe { beside::weights(beside, leaves, list) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an `Isa` of this set exists only after its features were detected.
        #[expect(unsafe_code, reason = "calls code for instructions that were detected")]
        Set::Avx2 => unsafe { avx2::beside_weights(beside, leaves, list) },
        _ => std::array::from_fn(|tree| list[beside.firsts[tree] as usize + usize::from(leaves.0[tree])]),
    }
}
