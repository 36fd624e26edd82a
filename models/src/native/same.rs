//! Every way of running an ensemble gives the same bits: random ensembles, random rows, all instruction sets of this machine.

use proptest::prelude::*;

use super::forest::{Forest, Kind};
use super::kernels::Isa;
use super::plain::Plain;
use super::predict::predict;
use super::trees::{After, Aggregate, Ask, Ensemble, Node};

/// A small generator, so that an ensemble is one number: shrinking its trees would only hide what they share.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    /// One of few values per feature, so that thresholds repeat and rows hit them.
    fn value(&mut self) -> f64 {
        match self.roll(12) {
            0 => 0.0,
            1 => -0.0,
            2 => 1e-40,
            3 if self.roll(4) == 0 => f64::INFINITY,
            _ => (self.roll(700) as f64 - 350.0) / 8.0 + if self.roll(9) == 0 { 1e-12 } else { 0.0 },
        }
    }
}

/// What is rolled for a whole ensemble.
#[derive(Debug, Clone, Copy)]
struct Plan {
    seed: u64,
    width: usize,
    trees: usize,
    heads: usize,
    is_f32: bool,
    rounds_to_f32: bool,
    aggregate: Aggregate,
}

fn plan() -> impl Strategy<Value = Plan> {
    let aggregate = prop_oneof![9 => Just(Aggregate::Sum), 1 => Just(Aggregate::Average)];
    // Few features with many thresholds each, or more features than a register has bytes.
    let width = prop_oneof![4 => Just(5_usize), 1 => Just(150)];
    (any::<u64>(), width, 1..90_usize, 1..3_usize, any::<bool>(), any::<bool>(), aggregate).prop_map(
        |(seed, width, trees, heads, is_f32, rounds_to_f32, aggregate)| Plan {
            seed,
            width,
            trees,
            heads,
            is_f32,
            rounds_to_f32,
            aggregate,
        },
    )
}

fn ensemble(plan: Plan) -> Ensemble {
    let mut dice = Dice(plan.seed);
    let mut ensemble = Ensemble {
        aggregate: plan.aggregate,
        heads: plan.heads,
        base: (0..plan.heads).map(|head| head as f64 + 0.1).collect(),
        nodes: Vec::new(),
        ends: Vec::new(),
        weights: Vec::new(),
        rounds_to_f32: plan.rounds_to_f32,
        after: vec![After::Times(1.5), After::Plus(-0.25)],
    };
    // Long stretches of one kind, so that runs are met at full length as well.
    let mut kind = 0;
    for _ in 0..plan.trees {
        if dice.roll(10) == 0 || ensemble.ends.is_empty() {
            kind = dice.roll(6);
        }
        let depth = dice.roll(8);
        match kind {
            0 | 1 => grow_oblivious(&mut ensemble, &mut dice, plan, 6),
            2 => grow_oblivious(&mut ensemble, &mut dice, plan, depth),
            3 if dice.roll(30) == 0 => grow_oblivious(&mut ensemble, &mut dice, plan, 9),
            5 if dice.roll(10) == 0 => grow(&mut ensemble, &mut dice, plan, 300),
            _ => {
                let leaves = 1 + dice.roll(90);
                grow(&mut ensemble, &mut dice, plan, leaves);
            }
        }
    }
    ensemble
}

fn question(dice: &mut Dice, plan: Plan) -> Node {
    Node {
        value: dice.value(),
        yes: 0,
        no: 0,
        feature: dice.roll(plan.width) as u32,
        ask: Ask::AtMost,
        missing_is_yes: dice.roll(4) == 0,
    }
}

fn leaf(ensemble: &mut Ensemble, dice: &mut Dice, plan: Plan) -> Node {
    let yes = (ensemble.weights.len() / plan.heads) as u32;
    for _ in 0..plan.heads {
        let weight = (dice.roll(2_000_003) as f64 - 1e6) / 3e5;
        ensemble.weights.push(if plan.is_f32 { f64::from(weight as f32) } else { weight });
    }
    Node { value: 0.0, yes, no: 0, feature: 0, ask: Ask::Leaf, missing_is_yes: false }
}

fn grow_oblivious(ensemble: &mut Ensemble, dice: &mut Dice, plan: Plan, depth: usize) {
    let first = ensemble.nodes.len();
    for level in 0..depth {
        let question = question(dice, plan);
        for _ in 0..1 << level {
            let at = (ensemble.nodes.len() - first) as u32;
            ensemble.nodes.push(Node { yes: 2 * at + 1, no: 2 * at + 2, ..question });
        }
    }
    for _ in 0..1 << depth {
        let leaf = leaf(ensemble, dice, plan);
        ensemble.nodes.push(leaf);
    }
    ensemble.ends.push(ensemble.nodes.len() as u32);
}

/// A tree of any shape: a random leaf becomes a branch until there are enough.
fn grow(ensemble: &mut Ensemble, dice: &mut Dice, plan: Plan, leaves: usize) {
    let mut children: Vec<Option<(u32, u32)>> = vec![None];
    let mut open = vec![0_usize];
    while open.len() < leaves {
        let at = open.swap_remove(dice.roll(open.len()));
        children[at] = Some((children.len() as u32, children.len() as u32 + 1));
        open.extend([children.len(), children.len() + 1]);
        children.extend([None, None]);
    }
    for child in children {
        let node = match child {
            Some((yes, no)) => Node { yes, no, ..question(dice, plan) },
            None => leaf(ensemble, dice, plan),
        };
        ensemble.nodes.push(node);
    }
    ensemble.ends.push(ensemble.nodes.len() as u32);
}

fn rows(dice: &mut Dice, count: usize, width: usize) -> Vec<f64> {
    let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE];
    let mut value = |_| if dice.roll(6) == 0 { special[dice.roll(5)] } else { dice.value() };
    (0..count * width).map(&mut value).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 60 } else { 500 }))]
    #[test]
    fn kernels_answer_as_the_plain_engine_does(plan in plan(), count in prop_oneof![1..12_usize, 1..200_usize]) {
        let ensemble = ensemble(plan);
        let forest = Forest::new(&ensemble).expect("sums of few questions");
        let plain = Plain::new(ensemble, plan.width);
        let rows = rows(&mut Dice(plan.seed ^ 77), count, plan.width);
        let mut expected = vec![f64::NAN; count * plan.heads];
        plain.predict(&rows, &mut expected);
        for isa in Isa::available() {
            let mut got = vec![f64::NAN; count * plan.heads];
            predict(&forest, isa, plan.width, &rows, &mut got);
            for (index, (got, expected)) in got.iter().zip(&expected).enumerate() {
                prop_assert_eq!(
                    got.to_bits(), expected.to_bits(), "{} answer {}: {} is not {}", isa.name(), index, got, expected
                );
            }
        }
    }
}

#[test]
fn every_kind_of_run_is_among_the_random_ones() {
    let mut seen = Vec::new();
    for seed in 0..40 {
        let aggregate = Aggregate::Sum;
        let plan = Plan { seed, width: 5, trees: 80, heads: 1, is_f32: true, rounds_to_f32: true, aggregate };
        let forest = Forest::new(&ensemble(plan)).expect("sums of few questions");
        seen.extend(forest.runs.iter().map(|run| (run.kind, run.trees.len() > 8)));
    }
    for kind in [Kind::Oblivious, Kind::Small] {
        assert!(seen.contains(&(kind, true)), "{kind:?} in runs longer than a group");
    }
    assert!(seen.contains(&(Kind::Large, false)));
}
