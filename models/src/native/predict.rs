//! Rows through a compiled forest: chunks, blocks, and the few rows that are no block.
//!
//! A chunk is binned at once and passed over by one run of trees after the other, so that neither bins nor leaves leave the
//! nearest cache. A few rows are not worth a block of 64: each goes through the trees alone.

use super::columns::{Lane, ROWS};
use super::few;
use super::forest::Forest;
use super::kernels::{self, Blocks, Isa, Rows, Scratch};

/// Blocks of a chunk: with 54 columns their bins take 14 KiB.
const BLOCKS: usize = 4;

/// Answers the rows of `values`, which stand one after the other, into `out`, as many numbers a row as there are heads.
pub(super) fn predict(forest: &Forest, isa: Isa, width: usize, values: &[f64], out: &mut [f64]) {
    let heads = forest.heads.len();
    let rows = out.len() / heads;
    let mut room = Room::default();
    let mut from = 0;
    while from < rows {
        let count = (rows - from).min(ROWS * BLOCKS);
        let values = &values[from * width..][..count * width];
        let out = &mut out[from * heads..][..count * heads];
        // What is left over after whole blocks.
        let rest = count % ROWS;
        let few = if rest <= few::most_rows(forest, isa) { rest } else { 0 };
        let (in_blocks, alone) = values.split_at((count - few) * width);
        let (out_blocks, out_alone) = out.split_at_mut((count - few) * heads);
        if !out_blocks.is_empty() {
            room.prepare(forest).answer(forest, isa, width, in_blocks, out_blocks);
        }
        for (row, answers) in alone.chunks_exact(width).zip(out_alone.chunks_exact_mut(heads)) {
            few::answer(forest, isa, row, answers);
        }
        from += count;
    }
}

/// Memory for one chunk.
#[derive(Default)]
struct Room {
    lanes: Vec<Lane>,
    scratch: Option<Scratch>,
}

impl Room {
    fn prepare(&mut self, forest: &Forest) -> &mut Room {
        // One lane more than columns; nothing below writes to it.
        self.lanes.resize((forest.columns.list.len() + 1) * BLOCKS, Lane([u8::MAX; ROWS]));
        self.scratch.get_or_insert_with(|| Scratch::new(forest));
        self
    }

    fn answer(&mut self, forest: &Forest, isa: Isa, width: usize, values: &[f64], out: &mut [f64]) {
        let heads = forest.heads.len();
        let stride = forest.columns.list.len() + 1;
        let Some(scratch) = self.scratch.as_mut() else { return };
        for (block, lanes) in values.chunks(ROWS * width).zip(self.lanes.chunks_exact_mut(stride)) {
            kernels::bin(isa, &forest.columns, Rows::new(block, width), &mut lanes[..stride - 1]);
        }
        let blocks = Blocks::new(&self.lanes, stride, out.len() / heads);
        for (head, weights) in forest.heads.iter().enumerate() {
            let mut sums = [[0.0; ROWS]; BLOCKS];
            for run in &forest.runs {
                kernels::add(isa, forest, run, weights, blocks, scratch, &mut sums);
            }
            let answers = out.iter_mut().skip(head).step_by(heads);
            for (answer, sum) in answers.zip(sums.as_flattened()) {
                *answer = forest.finish(head, *sum);
            }
        }
    }
}
