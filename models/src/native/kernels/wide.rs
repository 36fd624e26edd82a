//! The portable kernels, compiled for AVX2.

use super::{Rows, Scratch, portable};
use crate::native::columns::{Columns, Lane, ROWS};
use crate::native::forest::{Forest, Run, Weights};

#[target_feature(enable = "avx2")]
pub(super) fn bin(columns: &Columns, rows: Rows<'_>, lanes: &mut [Lane]) {
    portable::bin(columns, rows, lanes);
}

#[target_feature(enable = "avx2")]
pub(super) fn add(
    forest: &Forest,
    run: &Run,
    weights: &Weights,
    lanes: &[Lane],
    scratch: &mut Scratch,
    sums: &mut [f64; ROWS],
) {
    portable::add(forest, run, weights, lanes, scratch, sums);
}
