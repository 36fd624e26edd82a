//! The warehouse's part of a batch, timed phase by phase: the load of a start and the verdict transaction.
//!
//! ```text
//! cargo run --release -p bench --bin slate -- [PLAYERS] [SYSTEMS] [ROUNDS]
//! ```
#![allow(clippy::print_stdout)] // a bench talks to whoever ran it

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use pipeline::features::build_range;
use pipeline::ingest::{self, IngestOptions};
use pipeline::simulate::{self, SimOptions};
use proto::league_time::league_date;
use proto::{
    Basis, BatchId, Code, JobId, Market, OpenerToken, PredictionRow, Price, Recommendation, RowKey, RunMode,
    Sha256, Slate, SystemId,
};
use protocol::{CloseReason, Closing, Mode};
use warehouse::{
    JobOutcome, LoadSlate, PublicationHead, Registered, Registration, SlateInputs, SlateLoad, Warehouse,
};

#[tokio::main]
async fn main() -> Result<()> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let mut next = |default| numbers.next().unwrap_or(Ok(default));
    let (players, systems, rounds) = (next(334)?, next(12)?, next(10)?);
    let folder = tempfile::tempdir()?;
    let options = SimOptions {
        games_per_day: players.div_ceil(24).max(1) as u32,
        players_per_team: 13,
        quoted_players: Some(players as u32),
        injured: 0,
        late: 0,
        ..SimOptions::ending(league_date(Timestamp::now()).yesterday()?, 1)
    };
    let league = simulate::days(&options, &folder.path().join("files"))?;
    let url = format!("sqlite:{}", folder.path().join("warehouse.db").display());
    let warehouse = Warehouse::open(&url.parse()?, rules::contract()).await?;
    let files: Vec<_> = league.files.iter().chain(&league.late_files).cloned().collect();
    ingest::run(&warehouse, &files, IngestOptions::simulated(Timestamp::now()), |_| {}).await?;
    build_range(&warehouse, league.last_day, league.last_day, Timestamp::now(), |_, _| {}).await?;

    let slate = Slate::nba(league.last_day);
    let mut times: [Vec<f64>; 6] = Default::default();
    for round in 0..rounds {
        let mut mark = Instant::now();
        let mut lap = |phase: usize| {
            times[phase].push(mark.elapsed().as_secs_f64() * 1e3);
            mark = Instant::now();
        };
        warehouse.completeness(slate).await?;
        lap(0);
        let wanted = LoadSlate {
            slate,
            as_of: league.as_of,
            generation: None,
            markets: vec![Market::points()],
            settled: false,
        };
        let SlateLoad::Inputs(inputs) = warehouse.load_slate(&wanted).await? else {
            anyhow::bail!("overtaken")
        };
        lap(1);
        let batch_id = BatchId::new(league.last_day, 1_800_000_000 + round as i64);
        let registration = Registration {
            batch_id: batch_id.clone(),
            slate,
            opener: OpenerToken::from_random(round as u128),
            request: "{}".to_owned(),
            as_of: league.as_of,
            now: Timestamp::now(),
        };
        let Registered::Generation(_) = warehouse.register(&registration).await? else {
            anyhow::bail!("taken")
        };
        let (rows, outcomes, wanted) = invented(&inputs, systems, league.as_of)?;
        lap(2);
        let head = PublicationHead { batch_id: batch_id.clone(), slate, wanted };
        let mut publication = warehouse.begin_publication(head).await?;
        publication.add(&rows, &outcomes).await?;
        lap(3);
        let closing = Closing {
            mode: Mode::Publish,
            reason: CloseReason::AllDone,
            min_coverage: 0.5,
            whole_slate: true,
            closed_at: 0,
        };
        let published = publication.settle(&closing, RunMode::Backfill, |_| None, Timestamp::now()).await?;
        lap(4);
        anyhow::ensure!(published.receipt.published == rows.len() as u64, "{:?}", published.receipt);
        warehouse.newest_outcomes(slate).await?;
        warehouse.active_rows(slate).await?;
        lap(5);
        if round == 0 {
            let quotes: usize = inputs.quotes.values().map(|q| q.quotes.len() + q.openings.len()).sum();
            println!("{} quoted, {quotes} quotes, {} rows", inputs.quotes.len(), rows.len());
        }
    }
    for (name, mut times) in
        ["completeness", "load", "register+make", "stage", "settle", "health"].into_iter().zip(times)
    {
        times.sort_by(f64::total_cmp);
        println!(
            "{name:14} min {:7.2}  median {:7.2}  max {:7.2} ms",
            times[0],
            times[times.len() / 2],
            times[times.len() - 1]
        );
    }
    Ok(())
}

type Staged = (Vec<PredictionRow>, Vec<JobOutcome>, Vec<(Market, SystemId)>);

fn invented(inputs: &SlateInputs, systems: usize, now: Timestamp) -> Result<Staged> {
    let systems =
        (0..systems).map(|n| format!("system_{n}").parse()).collect::<Result<Vec<SystemId>, _>>()?;
    let (mut rows, mut outcomes) = (Vec::new(), Vec::new());
    for (job, quotes) in &inputs.quotes {
        let quote = quotes.quotes.first().context("a quoted player has a quote")?;
        let price = |text: &str| text.parse::<Price>();
        let basis = Arc::new(Basis {
            inputs_sha256: "i".repeat(64),
            line: quote.line,
            line_source: "ACTUAL_PROP".into(),
            line_source_api: "odds_api".into(),
            book: "draftkings".into(),
            was_line_fallback: false,
            over_price: price("-110")?,
            under_price: price("-110")?,
            line_snapshot_at: now,
            line_minutes_before_game: 60,
            consensus_line: Some(quote.line.points()),
            line_spread: Some(0.3),
            no_vig_over: 0.5,
            feature_quality_score: 99.0,
            default_feature_count: 0,
            as_of: now,
            predicted_at: now,
        });
        for (n, system) in systems.iter().enumerate() {
            let value = quote.line.points() + n as f64 / 10.0;
            let row = PredictionRow {
                key: RowKey {
                    game: job.game,
                    player: job.player.clone(),
                    market: Market::points(),
                    system_id: system.clone(),
                },
                basis: Arc::clone(&basis),
                model_sha256: Sha256::of(b"m"),
                predicted_value: value,
                over_probability: Some(0.55),
                over_expected_value: Some(0.05),
                under_expected_value: Some(-0.14),
                over_fair_price: Some(price("-122")?),
                line_margin: value - quote.line.points(),
                recommendation: if n >= 10 { Recommendation::Over } else { Recommendation::Pass },
                in_sample: false,
                row_sha256: Sha256::default(),
            };
            rows.push(row.sealed());
        }
        outcomes.push(JobOutcome {
            job: JobId { player: job.player.clone(), game: job.game },
            name: quotes.name.clone(),
            kind: Code::Predicted.outcome(),
            code: Code::Predicted,
            sentence: "12 of 12 rows".to_owned(),
            codes: Vec::new(),
            attempts: 1,
            rows_owed: systems.len() as u32,
            inputs_sha256: "i".repeat(64),
        });
    }
    Ok((rows, outcomes, systems.into_iter().map(|system| (Market::points(), system)).collect()))
}
