//! Measures a store: `cargo run --release -p state --example bench_jobs -- URL [JOBS [CHUNK [PARALLEL [RUNS]]]]`.
#![allow(clippy::print_stdout)] // it talks to a person

use state::{OpenOptions, StateUrl, bench_jobs, open};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let url: StateUrl = args.next().ok_or("name a state store, e.g. sqlite:/tmp/bench.db")?.parse()?;
    let mut number = |default: usize| args.next().map_or(Ok(default), |text| text.parse());
    let (jobs, chunk, parallel, runs) = (number(5_000)?, number(500)?, number(4)?, number(5)?);
    let store = open(&url, OpenOptions::default()).await?;
    for _ in 0..runs {
        let report = bench_jobs(store.clone(), jobs, chunk, parallel).await?;
        println!("{}", serde_json::to_string(&report)?);
    }
    Ok(())
}
