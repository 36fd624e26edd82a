//! How long a night takes in the workers alone: 334 players through twelve systems, from seal to the last completion, on
//! the memory store. Measurements, so ignored: `cargo nextest run --release -p workers --run-ignored only --no-capture`.
#![allow(clippy::print_stderr)] // a measurement is there to be read

use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::Job;
use protocol::Timing;
use workers::{ModelSet, ModelShelf, PoolSize, Rulebook, WorkerContext, predict_chunk, start_pool};

use crate::bench::{Bench, real, run, until};
use crate::samples::{claimed, formula_card, job, registry_of};

const PLAYERS: usize = 334;
/// The whole way from start to ended and readable; the workers' part must leave room for the rest.
const BUDGET: Duration = Duration::from_millis(80);

fn twelve_systems() -> (models::Registry, Vec<String>) {
    let names: Vec<String> = (0..9).map(|n| format!("formula_{n}")).collect();
    let cards: Vec<String> = names.iter().map(|name| formula_card(name, "points_avg_last_5", 1.0)).collect();
    let zoo = ["catboost_v1", "catboost_v1_noveg", "moving_average_v1"].map(str::to_owned);
    (registry_of(&cards), names.into_iter().chain(zoo).collect())
}

fn night(systems: &[String]) -> Vec<Job> {
    let systems: Vec<&str> = systems.iter().map(String::as_str).collect();
    (0..PLAYERS).map(|n| job(&format!("player{n}"), &systems)).collect()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[test]
#[ignore = "a measurement, for a release build on a quiet machine"]
fn a_night_from_seal_to_the_last_completion() {
    run(async {
        let (registry, systems) = twelve_systems();
        let mut bench = Bench::new(Timing::default());
        bench.shelf = Arc::new(ModelShelf::new(registry, rules::contract()));
        let (closed, mut ends) = tokio::sync::mpsc::unbounded_channel();
        let context = WorkerContext::new(bench.store.clone(), bench.shelf.clone(), real())
            .on_closed(Arc::new(move |_| closed.send(Instant::now()).unwrap()));
        let pool = start_pool(context, PoolSize::Fixed(2)).unwrap();
        let jobs = night(&systems);
        let mut times = Vec::new();
        for number in 0..20 {
            let batch = bench.filled(number, &jobs).await;
            until("the workers wait", async || {
                pool.status().workers.iter().all(|worker| worker.phase == "idle").then_some(())
            })
            .await;
            let started = Instant::now();
            bench.seal(&batch, jobs.len()).await;
            pool.nudge();
            times.push(ends.recv().await.unwrap() - started);
            assert_eq!(bench.batch(&batch.0).await.staged_rows as usize, PLAYERS * systems.len());
        }
        eprintln!("seal to last completion, first {:?}, median {:?}", times[0], median(times.clone()));
        assert!(median(times) <= BUDGET);
    });
}

#[test]
#[ignore = "a measurement, for a release build on a quiet machine"]
fn a_night_on_one_thread() {
    let (registry, systems) = twelve_systems();
    let models = ModelSet::of_registry(&registry, rules::contract());
    let jobs: Vec<_> = (0u32..).zip(night(&systems)).map(|(seq, job)| claimed(seq, &job)).collect();
    let (rulebook, now) = (Rulebook::default(), jiff::Timestamp::now());
    let mut times = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        let mut done = 0;
        predict_chunk(&rulebook, &models, &rules::contract().version, &jobs, now, &mut |_| done += 1);
        times.push(started.elapsed());
        assert_eq!(done, PLAYERS);
    }
    eprintln!(
        "gates, twelve models, rows and encoding of {PLAYERS} jobs: median {:?}",
        median(times.clone())
    );
    assert!(median(times) <= BUDGET);
}
