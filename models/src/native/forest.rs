//! An ensemble compiled for the kernels: questions on bins, trees sorted by how they are run.
//!
//! - **Oblivious** trees ask one question per level, as CatBoost's do: the answers are the bits of the leaf's number.
//! - **Small** trees (up to 256 leaves of any shape) are merged from the leaves upwards: each branch picks, for all rows of
//!   a block, between the leaf numbers its two children came to. No row takes a path, so nothing branches.
//! - **Large** trees are walked, eight rows side by side.
//!
//! Trees stay in the order of the model, because that is the order of the sum: consecutive trees of one kind are a
//! [`Run`], short enough that its leaves stay in the nearest cache while the blocks of a chunk pass over it.

use std::ops::Range;

use super::columns::{Columns, Lane, Question, Questions, ROWS};
use super::trees::{After, Aggregate, Ask, Ensemble, Node, depth};

/// Deepest oblivious tree that is run as one: CatBoost goes no further.
pub(super) const MOST_LEVELS: usize = 16;
/// Leaves of a small tree: what a byte can number.
const MOST_SMALL_LEAVES: usize = 256;
/// Weights of a run: 16 KiB of `float`s, a third of a nearest cache.
const RUN_WEIGHTS: usize = 4096;
/// Trees of an oblivious run that are walked side by side when there is one row: as many as a register has bytes.
pub(super) const SIDE_BY_SIDE: usize = 64;
/// Fewest trees for which turning them is worth its memory.
const FEWEST_BESIDE: usize = 16;
/// Most columns whose bins are kept in registers.
const MOST_BESIDE_COLUMNS: usize = 512;
/// Leaves that a hop can number.
const MOST_HOP_LEAVES: usize = 128;
/// Leaves whose weights can be looked up inside registers.
pub(super) const MOST_PLANE_LEAVES: usize = 64;

/// A byte as an `i8` that sorts as the byte does: what is compared where only signed bytes can be.
pub(super) const fn signed(byte: u8) -> u8 {
    byte ^ 0x80
}

/// How a run's trees are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Oblivious,
    Small,
    Large,
}

/// Consecutive trees of one kind.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) kind: Kind,
    pub(super) trees: Range<usize>,
    /// The same for one row alone, if they are many oblivious trees.
    pub(super) beside: Option<Beside>,
}

/// Up to 64 oblivious trees of at most eight levels, turned so that a byte of a register is a tree.
#[derive(Debug, Clone)]
pub(super) struct Beside {
    pub(super) levels: Vec<BesideLevel>,
    /// Where each tree's weights begin; places without a tree repeat the first.
    pub(super) firsts: [u32; SIDE_BY_SIDE],
}

/// One level of all trees. A tree that is not so deep has a question here that is never answered with no.
#[derive(Debug, Clone)]
pub(super) struct BesideLevel {
    /// The last six bits of each tree's column.
    pub(super) columns: Lane,
    pub(super) cuts: Lane,
    /// For each 64 columns, the trees whose column is among them.
    pub(super) trees: Vec<u64>,
}

/// One tree, whatever its kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tree {
    /// Its number of leaves.
    pub(super) leaves: u32,
    /// Where the weights of its leaves begin in each head's list.
    pub(super) weights: u32,
    /// Oblivious: its levels. Otherwise: steps to the farthest leaf.
    pub(super) depth: u32,
    /// Oblivious: where its questions begin. Small: where its merges begin.
    pub(super) questions: u32,
    /// Not oblivious: where its steps begin.
    pub(super) steps: u32,
    /// Where its hops begin, if it has any.
    pub(super) hops: Option<u32>,
}

/// A branch of a small tree. Operands below 256 are leaf numbers, those above are earlier merges of the same tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Merge {
    pub(super) question: Question,
    pub(super) yes: u16,
    pub(super) no: u16,
}

/// A node of a walk: a yes leads to the next one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) question: Question,
    /// Position in the tree that a no leads to. A leaf's question is always answered with no, and leads back to itself.
    pub(super) no: u32,
    /// A leaf's number in its tree.
    pub(super) leaf: u32,
}

/// The weights of one head, tree after tree, leaf after leaf.
#[derive(Debug, Clone)]
pub(super) enum Weights {
    /// Every weight is a `float`: those of an ONNX file are.
    F32 {
        list: Vec<f32>,
        /// The same as bytes, for look-ups inside registers: first the lowest byte of each leaf of a tree, then the next.
        /// A tree's planes begin at four times its `weights`.
        planes: Vec<u8>,
    },
    F64(Vec<f64>),
}

/// A node of a walk in a tree of up to 128 leaves, as small as it can be, so that one row's walks stay in a near cache.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hop(u32);

impl Hop {
    /// A branch; a no leads so many nodes ahead, a yes one.
    fn branch(question: Question, ahead: usize) -> Option<Hop> {
        let (column, ahead) = (u16::try_from(question.column()).ok()?, u8::try_from(ahead).ok()?);
        Some(Hop(u32::from(column) << 16 | u32::from(question.cut()) << 8 | u32::from(ahead)))
    }

    /// A leaf asks the column that is 255 everywhere for more than its number, and so stays where it is.
    fn leaf(never: usize, number: u32) -> Option<Hop> {
        let number = u8::try_from(number).ok().filter(|number| usize::from(*number) < MOST_HOP_LEAVES)?;
        Hop::branch(Question::new(never, number), 0)
    }

    pub(super) fn column(self) -> usize {
        (self.0 >> 16) as usize
    }

    /// How many nodes further a row with this bin goes.
    pub(super) fn ahead(self, bin: u8) -> u32 {
        let no = self.0 & 0xff;
        std::hint::select_unpredictable(bin > (self.0 >> 8) as u8, no, 1)
    }

    /// The number of a leaf.
    pub(super) fn number(self) -> u32 {
        self.0 >> 8 & 0xff
    }
}

/// An ensemble ready to run.
#[derive(Debug, Clone)]
pub(super) struct Forest {
    pub(super) columns: Columns,
    pub(super) runs: Vec<Run>,
    pub(super) trees: Vec<Tree>,
    /// Questions of oblivious trees, level after level.
    pub(super) questions: Vec<Question>,
    /// For each of those the least bin that answers no, as [`signed`] has it, in each of four bytes.
    pub(super) least: Vec<u32>,
    pub(super) merges: Vec<Merge>,
    pub(super) steps: Vec<Step>,
    /// The same as hops, where [`Tree::hops`] says so.
    pub(super) hops: Vec<Hop>,
    /// One for each head.
    pub(super) heads: Vec<Weights>,
    /// Most leaves of a small tree.
    pub(super) small_leaves: usize,
    aggregate: Aggregate,
    base: Vec<f64>,
    after: Vec<After>,
}

impl Forest {
    /// Compiles an ensemble; nothing when only the plain engine can run it.
    pub(super) fn new(ensemble: &Ensemble) -> Option<Forest> {
        let is_sum = matches!(ensemble.aggregate, Aggregate::Sum | Aggregate::Average);
        let questions = Questions::of(ensemble).filter(|_| is_sum)?;
        let mut forest = Forest {
            columns: questions.columns(),
            runs: Vec::new(),
            trees: Vec::with_capacity(ensemble.num_trees()),
            questions: Vec::new(),
            least: Vec::new(),
            merges: Vec::new(),
            steps: Vec::new(),
            hops: Vec::new(),
            heads: Vec::new(),
            small_leaves: 0,
            aggregate: ensemble.aggregate,
            base: ensemble.base.clone(),
            after: ensemble.after.clone(),
        };
        let mut leaves = Vec::with_capacity(ensemble.weights.len() / ensemble.heads);
        for tree in ensemble.trees() {
            forest.plant(tree, &questions, &mut leaves);
        }
        for index in 0..forest.runs.len() {
            forest.runs[index].beside = forest.beside(&forest.runs[index]);
        }
        let (heads, weights) = (ensemble.heads, &ensemble.weights);
        forest.heads = (0..heads).map(|head| forest.weights_of(head, heads, &leaves, weights)).collect();
        Some(forest)
    }

    /// Adds one tree; `leaves` takes the numbers of its leaves in the order in which kernels count them.
    fn plant(&mut self, tree: &[Node], questions: &Questions, leaves: &mut Vec<u32>) {
        let weights = leaves.len() as u32;
        let kind = if let Some(levels) = oblivious(tree) {
            let begin = self.questions.len() as u32;
            self.questions.extend(levels.asked.iter().map(|node| questions.question(node)));
            // A column has at most 255 thresholds, so no cut is the last byte there is.
            let asked = &self.questions[begin as usize..];
            self.least
                .extend(asked.iter().map(|question| u32::from_ne_bytes([signed(question.cut() + 1); 4])));
            leaves.extend(&levels.leaves);
            self.push(levels.leaves.len(), weights, levels.asked.len(), begin, 0);
            Kind::Oblivious
        } else {
            let (merges, steps) = (self.merges.len() as u32, self.steps.len() as u32);
            self.add_steps(tree, questions, leaves);
            let count = leaves.len() - weights as usize;
            self.push(count, weights, depth(tree), merges, steps);
            if count <= MOST_SMALL_LEAVES {
                self.add_merges(tree, steps as usize);
                self.add_hops(steps as usize);
                self.small_leaves = self.small_leaves.max(count);
                Kind::Small
            } else {
                Kind::Large
            }
        };
        self.extend_runs(kind);
    }

    fn push(&mut self, leaves: usize, weights: u32, depth: usize, questions: u32, steps: u32) {
        let (leaves, depth) = (leaves as u32, depth as u32);
        self.trees.push(Tree { leaves, weights, depth, questions, steps, hops: None });
    }

    /// Puts the newest tree into the last run, or begins one.
    fn extend_runs(&mut self, kind: Kind) {
        let newest = self.trees.len() - 1;
        if let Some(run) = self.runs.last_mut() {
            let weights = self.trees[newest].weights - self.trees[run.trees.start].weights;
            let has_room = (weights as usize) < RUN_WEIGHTS && run.trees.len() < SIDE_BY_SIDE;
            if run.kind == kind && has_room {
                run.trees.end += 1;
                return;
            }
        }
        self.runs.push(Run { kind, trees: newest..newest + 1, beside: None });
    }

    /// Appends a tree as a walk, each branch with its yes right behind it. Leaves are counted in that order, from yes to no.
    fn add_steps(&mut self, tree: &[Node], questions: &Questions, leaves: &mut Vec<u32>) {
        let (start, first_leaf) = (self.steps.len(), leaves.len() as u32);
        let never = Question::new(self.columns.list.len(), 0);
        let mut open: Vec<(u32, Option<usize>)> = vec![(0, None)];
        while let Some((source, asked_by)) = open.pop() {
            let position = self.steps.len();
            if let Some(parent) = asked_by {
                self.steps[parent].no = (position - start) as u32;
            }
            let node = &tree[source as usize];
            if node.ask == Ask::Leaf {
                let leaf = leaves.len() as u32 - first_leaf;
                leaves.push(node.yes);
                self.steps.push(Step { question: never, no: (position - start) as u32, leaf });
            } else {
                self.steps.push(Step { question: questions.question(node), no: 0, leaf: 0 });
                open.push((node.no, Some(position)));
                open.push((node.yes, None));
            }
        }
    }

    /// Appends a tree as merges, children first, from its walk.
    fn add_merges(&mut self, tree: &[Node], start: usize) {
        let steps = &self.steps[start..start + tree.len()];
        let never = self.columns.list.len();
        let mut operands = vec![0_u16; steps.len()];
        let mut merged = 0;
        for (position, step) in steps.iter().enumerate().rev() {
            if step.question.column() == never {
                operands[position] = step.leaf as u16;
            } else {
                let (yes, no) = (operands[position + 1], operands[step.no as usize]);
                self.merges.push(Merge { question: step.question, yes, no });
                operands[position] = MOST_SMALL_LEAVES as u16 + merged;
                merged += 1;
            }
        }
    }

    /// Gives the newest tree hops, if it is small enough, from its walk.
    fn add_hops(&mut self, start: usize) {
        let never = self.columns.list.len();
        let hops: Option<Vec<Hop>> = self.steps[start..]
            .iter()
            .enumerate()
            .map(|(position, step)| match step.no as usize - position {
                0 => Hop::leaf(never, step.leaf),
                ahead => Hop::branch(step.question, ahead),
            })
            .collect();
        if let (Some(hops), Some(tree)) = (hops, self.trees.last_mut()) {
            tree.hops = Some(self.hops.len() as u32);
            self.hops.extend(hops);
        }
    }

    /// Turns the trees of a run for one row alone.
    fn beside(&self, run: &Run) -> Option<Beside> {
        let trees = &self.trees[run.trees.clone()];
        let depth = trees.iter().map(|tree| tree.depth as usize).max()?;
        let is_for_it = run.kind == Kind::Oblivious && trees.len() >= FEWEST_BESIDE && depth <= 8;
        if !is_for_it || self.columns.list.len() > MOST_BESIDE_COLUMNS {
            return None;
        }
        let chunks = self.columns.list.len().div_ceil(ROWS);
        let levels = (0..depth).map(|level| {
            let mut turned =
                BesideLevel { columns: Lane([0; ROWS]), cuts: Lane([u8::MAX; ROWS]), trees: vec![0; chunks] };
            for (place, tree) in trees.iter().enumerate() {
                if let Some(question) = self.questions[tree.questions()].get(level) {
                    turned.columns.0[place] = (question.column() % ROWS) as u8;
                    turned.cuts.0[place] = question.cut();
                    turned.trees[question.column() / ROWS] |= 1 << place;
                }
            }
            turned
        });
        let firsts = std::array::from_fn(|place| trees.get(place).unwrap_or(&trees[0]).weights);
        Some(Beside { levels: levels.collect(), firsts })
    }

    /// The weights of one head in the order of the kernels' leaves.
    fn weights_of(&self, head: usize, heads: usize, leaves: &[u32], weights: &[f64]) -> Weights {
        let ordered = leaves.iter().map(|leaf| weights[*leaf as usize * heads + head]);
        if !ordered.clone().all(|weight| f64::from(weight as f32).to_bits() == weight.to_bits()) {
            return Weights::F64(ordered.collect());
        }
        let list: Vec<f32> = ordered.map(|weight| weight as f32).collect();
        // Whole registers are read, so the last tree is followed by one that means nothing.
        let mut planes = vec![0; list.len() * 4 + MOST_PLANE_LEAVES];
        for tree in &self.trees {
            let (start, count) = (tree.weights as usize, tree.leaves as usize);
            for (leaf, weight) in list[start..start + count].iter().enumerate() {
                for (plane, byte) in weight.to_le_bytes().into_iter().enumerate() {
                    planes[4 * start + plane * count + leaf] = byte;
                }
            }
        }
        Weights::F32 { list, planes }
    }

    /// A head's answer from the sum of its leaves.
    pub(super) fn finish(&self, head: usize, sum: f64) -> f64 {
        Ensemble::finish(self.aggregate, self.trees.len(), self.base[head], &self.after, sum)
    }

    /// Whether every tree is oblivious.
    pub(super) fn is_oblivious(&self) -> bool {
        self.runs.iter().all(|run| run.kind == Kind::Oblivious)
    }
}

impl Tree {
    /// Where its weights stand in a head's list.
    pub(super) fn weights(&self) -> Range<usize> {
        self.weights as usize..self.weights as usize + self.leaves as usize
    }

    /// Where its questions stand, if it is oblivious.
    pub(super) fn questions(&self) -> Range<usize> {
        self.questions as usize..self.questions as usize + self.depth as usize
    }

    /// Where its merges stand, if it is small.
    pub(super) fn merges(&self) -> Range<usize> {
        self.questions as usize..self.questions as usize + self.leaves as usize - 1
    }

    /// Where its steps stand, unless it is oblivious: a tree has one branch less than leaves.
    pub(super) fn steps(&self) -> Range<usize> {
        self.steps as usize..self.steps as usize + 2 * self.leaves as usize - 1
    }
}

/// A tree's one question per level, and its leaves by the bits of the answers (bit `l` set: no at level `l`).
struct Levels<'a> {
    asked: Vec<&'a Node>,
    leaves: Vec<u32>,
}

/// The levels of a tree that asks the same question wherever a row stands at a depth.
fn oblivious(tree: &[Node]) -> Option<Levels<'_>> {
    let mut asked: Vec<&Node> = Vec::new();
    let mut level = vec![0_u32];
    loop {
        let first = &tree[level[0] as usize];
        let is_same = |node: &Node| {
            (node.ask, node.feature, node.missing_is_yes) == (first.ask, first.feature, first.missing_is_yes)
                && (first.ask == Ask::Leaf || node.value.to_bits() == first.value.to_bits())
        };
        if first.ask == Ask::Equal || !level.iter().all(|at| is_same(&tree[*at as usize])) {
            return None;
        }
        if first.ask == Ask::Leaf {
            return Some(Levels { asked, leaves: level.iter().map(|at| tree[*at as usize].yes).collect() });
        }
        if asked.len() == MOST_LEVELS {
            return None;
        }
        asked.push(first);
        let no: Vec<u32> = level.iter().map(|at| tree[*at as usize].no).collect();
        level.iter_mut().for_each(|at| *at = tree[*at as usize].yes);
        level.extend(no);
    }
}
