//! Supersede, carry, invalidate against a plain map: random small slates, the same rows, the same receipt.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proto::{Code, EndState, Sha256};
use protocol::CloseReason;

use crate::fixtures::*;

const PLAYERS: [(&str, &str); 3] = [("a", G1), ("b", G1), ("c", G2)];
const CODES: [Code; 6] =
    [Code::Predicted, Code::NoLine, Code::InjuredOut, Code::GamePostponed, Code::Panic, Code::Stale];

/// What one batch does to one player: no job, or an outcome and which systems answered.
type Plan = Option<(Code, [bool; 2])>;

#[derive(Debug, Clone)]
struct Batch {
    plans: [Plan; 3],
    reason: CloseReason,
    /// After the first game's tip-off.
    late: bool,
    /// Published before the batch registered before it, which then comes late.
    swapped: bool,
}

fn plan() -> impl Strategy<Value = Plan> {
    prop_oneof![
        1 => Just(None),
        4 => (0..CODES.len(), any::<[bool; 2]>()).prop_map(|(code, mut systems)| {
            // Predicted means at least one row.
            systems[0] |= !systems[1];
            Some((CODES[code], systems))
        }),
        3 => any::<bool>().prop_map(|both| Some((Code::Predicted, [true, both]))),
    ]
}

fn batch() -> impl Strategy<Value = Batch> {
    let reason = prop_oneof![4 => Just(CloseReason::AllDone), 1 => Just(CloseReason::Reset)];
    (prop::array::uniform3(plan()), reason, prop::bool::weighted(0.2), prop::bool::weighted(0.3))
        .prop_map(|(plans, reason, late, swapped)| Batch { plans, reason, late, swapped })
}

/// The slate as a map: key to (batch, value).
#[derive(Default)]
struct Model {
    active: BTreeMap<(String, String), (i64, f64)>,
    published_generation: u64,
}

impl Model {
    /// Applies a batch; answers state, published, carried, invalidated.
    fn apply(&mut self, second: i64, generation: u64, batch: &Batch) -> (EndState, u64, usize, u64) {
        let jobs: Vec<_> = PLAYERS
            .iter()
            .zip(&batch.plans)
            .filter_map(|((player, game), plan)| Some((*player, *game, (*plan)?)))
            .collect();
        let count = |wanted: fn(Code) -> bool| jobs.iter().filter(|(_, _, (code, _))| wanted(*code)).count();
        let predicted = count(|code| code == Code::Predicted);
        let failed = count(|code| code == Code::Panic);
        if batch.reason == CloseReason::Reset {
            return (EndState::Reset, 0, 0, 0);
        }
        let covered = predicted + failed == 0 || 2 * predicted >= predicted + failed;
        if self.published_generation > generation || !covered || (predicted == 0 && failed > 0) {
            return (EndState::Failed, 0, 0, 0);
        }
        self.published_generation = generation;
        let (mut published, mut invalidated) = (0, 0);
        for (player, game, (code, systems)) in &jobs {
            if batch.late && *game == G1 {
                continue;
            }
            for (system, answered) in SYSTEMS.iter().zip(systems) {
                let key = ((*player).to_owned(), (*system).to_owned());
                match code {
                    Code::Predicted if *answered => {
                        self.active.insert(key, (second, value_of(second)));
                        published += 1;
                    }
                    Code::InjuredOut | Code::GamePostponed => {
                        invalidated += u64::from(self.active.remove(&key).is_some());
                    }
                    _ => {}
                }
            }
        }
        let players: BTreeSet<&str> = jobs.iter().map(|(player, ..)| *player).collect();
        let carried = self
            .active
            .iter()
            .filter(|((p, _), (b, _))| *b != second && players.contains(p.as_str()))
            .count();
        (if failed > 0 { EndState::Partial } else { EndState::Complete }, published, carried, invalidated)
    }

    fn shown(&self) -> Vec<String> {
        self.active
            .iter()
            .map(|((player, system), (_, value))| format!("{player} {system} {value}"))
            .collect()
    }
}

fn value_of(second: i64) -> f64 {
    10.0 + second as f64
}

fn request_of(second: i64, batch: &Batch) -> warehouse::PublishRequest {
    let mut jobs = Vec::new();
    let mut answered = BTreeSet::new();
    for ((player, game), plan) in PLAYERS.iter().zip(&batch.plans) {
        let Some((code, systems)) = plan else { continue };
        jobs.push((*player, *game, *code, value_of(second)));
        for (system, yes) in SYSTEMS.iter().zip(systems) {
            if *yes {
                answered.insert((*player, *system));
            }
        }
    }
    let mut request = request(second, &jobs);
    request.rows.retain(|row| answered.contains(&(row.key.player.as_str(), row.key.system_id.as_str())));
    request.closing = closing(batch.reason);
    if batch.late {
        request.now = at("2026-01-24T01:00:00Z");
    }
    request
}

async fn replay(batches: &[Batch]) {
    let (warehouse, _dir) = fresh().await;
    let mut model = Model::default();
    let mut order: Vec<usize> = (0..batches.len()).collect();
    for (at, batch) in batches.iter().enumerate().skip(1) {
        if batch.swapped {
            order.swap(at - 1, at);
        }
    }
    let mut generations = Vec::new();
    for second in 0..batches.len() {
        generations.push(register(&warehouse, second as i64).await);
    }
    for at in order {
        let (second, batch) = (at as i64, &batches[at]);
        let expected = model.apply(second, generations[at], batch);
        let request = request_of(second, batch);
        let end = warehouse.publish(&request).await.unwrap();
        let receipt = &end.receipt;
        let invalidated: u64 = receipt.invalidated.values().sum();
        assert_eq!(
            (end.verdict.state, receipt.published, receipt.carried.len(), invalidated),
            expected,
            "batch {second}: {batch:?}"
        );
        assert_eq!(active(&warehouse).await, model.shown(), "after batch {second}: {batch:?}");
        assert_eq!(receipt.active, model.active.len() as u64);
        assert_eq!(receipt.rows_owed, receipt.published + receipt.refused.values().sum::<u64>());
        // A repeat changes nothing.
        assert_eq!(warehouse.publish(&request).await.unwrap().receipt, end.receipt);
    }
    let hashes =
        warehouse.active_rows(slate()).await.unwrap().into_iter().map(|row| row.row_sha256).collect();
    let newest = warehouse.slate_record(slate()).await.unwrap().published_batch;
    if let Some(newest) = newest {
        let (_, receipt) = warehouse.verdict(&newest).await.unwrap().unwrap();
        assert_eq!(receipt.slate_sha256, Sha256::of_all(hashes).to_string());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn a_slate_is_a_map(batches in prop::collection::vec(batch(), 1..7)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(replay(&batches));
    }
}
