//! What a row costs in each engine, by the size of the batch: `cargo bench -p bench --bench engines`.
//!
//! The models are the zoo's: the CatBoost without lines by the native engine and, where ONNX Runtime is installed, by that;
//! the network by candle; the moving average as the floor. One thread. For other libraries beside ours: `bench/inference/run.py`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use models::{Engine, EngineName, FeatureMatrix, Registry};
use proto::Market;

const BATCHES: [usize; 4] = [1, 32, 334, 10_000];

/// Rows with values in the range of box scores, every tenth missing; the same each time.
fn rows(width: usize, count: usize) -> FeatureMatrix {
    let mut rows = FeatureMatrix::with_capacity(width, count);
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    for _ in 0..count {
        let row: Vec<f64> = (0..width)
            .map(|_| if next() % 10 == 0 { f64::NAN } else { (next() % 4_000) as f64 / 100.0 })
            .collect();
        rows.push_row(&row).expect("a row of its own width");
    }
    rows
}

fn engines(criterion: &mut Criterion) {
    let registry = Registry::zoo();
    let twins = models::ort::library().ok().map(|_| Registry::load_on(None, EngineName::Ort));
    let subjects = [
        ("native", "catboost_v2_noveg", Some(&registry)),
        ("ort", "catboost_v2_noveg", twins.as_ref()),
        ("candle", "network_v2_noveg", Some(&registry)),
        ("formula", "moving_average_v1", Some(&registry)),
    ];
    for (name, system, registry) in subjects {
        let Some(registry) = registry else { continue };
        let system = system.parse().expect("a system id");
        let model = registry.by_system(&system, &Market::points()).expect("a model of the zoo");
        measure(criterion, name, model.engine());
    }
}

fn measure(criterion: &mut Criterion, name: &str, engine: &dyn Engine) {
    let mut group = criterion.benchmark_group(name);
    for batch in BATCHES {
        let rows = rows(engine.width(), batch);
        let mut answers = vec![0.0; batch];
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_with_input(BenchmarkId::from_parameter(batch), &rows, |bencher, rows| {
            bencher.iter(|| engine.predict(rows, &mut answers).expect("a row has an answer"));
        });
    }
    group.finish();
}

criterion_group!(benches, engines);
criterion_main!(benches);
