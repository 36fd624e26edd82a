//! One instance: both stores opened and paired, models on the shelf, workers, supervisor and relay running.
//!
//! `serve` and `demo` differ only in what they do with it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use models::Registry;
use proto::features::FeatureContract;
use rules::RecommendPolicy;
use state::{OpenOptions, Paired};
use warehouse::{ModelRow, Warehouse};
use workers::{ModelShelf, PoolHandle, PoolSize, Rulebook, WorkerContext};

use super::reload::{self, Listing};
use super::{BatchDefaults, Bells, Context, ContextParts, LateSettings, follower, relay, supervisor};
use crate::config::{self, Config};
use crate::service::Service;

/// Longest wait for a store to open; the stores' own limits are shorter.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// A running instance.
#[derive(Debug, Clone)]
pub struct Instance {
    /// What it answers with.
    pub service: Service,
    /// What its parts share.
    pub context: Arc<Context>,
    pool: Option<PoolHandle>,
}

impl Instance {
    /// Opens the stores, loads the models and starts the actors. Call it inside [`run`].
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        // Before the first load: what changes after this look is a change.
        let models = config.models.clone().map(|folder| (Listing::of(&folder), folder));
        let (context, bells) = open(config).await?;
        let pool = start_pool(config, &context)?;
        start_actors(&context, bells);
        if let Some((listing, folder)) = models {
            tokio::spawn(reload::run(Arc::clone(&context), folder, listing));
        }
        let service = Service::new(Arc::clone(&context), pool.clone());
        let look_every = Duration::from_millis(context.timing.sweep_ms as u64);
        tokio::spawn(follower::run(service.clone(), look_every, context.late.watch_every));
        Ok(Self { service, context, pool })
    }

    /// Stops claiming, lets workers finish for so long, releases what is left. SIGKILL would be correct too; this
    /// only spares others the wait for leases.
    pub async fn stop(&self, finish_within: Duration) {
        if let Some(pool) = &self.pool {
            tracing::info!("draining the workers");
            let report = pool.drain(finish_within).await;
            tracing::info!(drained = report.drained, stopped = report.stopped, "workers drained");
        }
    }
}

/// Opens and pairs the two stores and loads the models.
async fn open(config: &Config) -> anyhow::Result<(Arc<Context>, Bells)> {
    if let Some(folder) = embedded_folder(config) {
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("create the data folder {}", folder.display()))?;
    }
    let contract = rules::contract();
    let warehouse =
        limited("warehouse", Warehouse::open_in(config.clock.world(), &config.warehouse, contract)).await?;
    let store = limited("state store", state::open(&config.state, OpenOptions::default())).await?;
    if let Paired::Other { warehouse_id } = store.pair(warehouse.id()).await? {
        bail!(
            "the state store belongs to warehouse {warehouse_id}, this warehouse is {}: use the pair that belongs \
             together, or another state store",
            warehouse.id()
        );
    }
    let shelf = Arc::new(ModelShelf::new(Registry::load(config.models.as_deref()), contract));
    for refused in shelf.registry().refused() {
        tracing::warn!(model = %refused.origin, "model refused: {}", refused.reason);
    }
    let parts = ContextParts {
        store,
        warehouse,
        shelf,
        lines: config.lines.clone(),
        timing: config.timing,
        defaults: BatchDefaults {
            finish_by_ms: config.finish_by_seconds as i64 * 1_000,
            min_coverage: config.min_coverage,
            min_minutes: config.min_minutes,
        },
        late: LateSettings { watch_every: config.watch_every, event_limit: config.event_limit },
        staleness: config.staleness,
        line_sources: config.feeds.line_sources(),
        clock: config.clock.clone(),
    };
    let (context, bells) = Context::new(parts);
    note_models(&context).await.context("note the models in the warehouse")?;
    Ok((context, bells))
}

/// Writes the models into the `models` table, each hash once; disabled ones too, so that their role there is not the one
/// they had when they were served last.
pub(super) async fn note_models(context: &Context) -> Result<(), warehouse::Error> {
    let now = context.now();
    let registry = context.shelf.registry();
    let served = registry.models().iter().map(|model| (&model.card, model.pin.sha256.clone()));
    let disabled = registry.disabled().iter().map(|card| (card, card.pin_sha256()));
    let known: Vec<ModelRow> =
        served.chain(disabled).map(|(card, sha256)| model_row(card, sha256, context.contract, now)).collect();
    context.warehouse.put_models(&known).await
}

/// A model as the `models` table keeps it: by its hash, so that a row of `predictions` can always be explained.
fn model_row(card: &models::Card, sha256: String, contract: &FeatureContract, now: Timestamp) -> ModelRow {
    ModelRow {
        system_id: card.system_id.clone(),
        market: card.market.clone(),
        sha256,
        role: card.role,
        engine: card.engine.name().as_str().to_owned(),
        contract_version: contract.version.clone(),
        training_start: card.training.map(|window| window.start),
        training_end: card.training.map(|window| window.end),
        card: format!("features: {}\nmetrics: {:?}\n{}", card.features.join(", "), card.metrics, card.notes),
        first_seen_at: now,
    }
}

fn embedded_folder(config: &Config) -> Option<PathBuf> {
    let embedded = config.dir.join("warehouse.db").display().to_string();
    config.warehouse.to_string().ends_with(&embedded).then(|| config.dir.clone())
}

async fn limited<T, E>(what: &str, opening: impl Future<Output = Result<T, E>>) -> anyhow::Result<T>
where
    E: std::error::Error + Send + Sync + 'static,
{
    match tokio::time::timeout(OPEN_TIMEOUT, opening).await {
        Ok(opened) => opened.with_context(|| format!("open the {what}")),
        Err(_) => bail!("the {what} did not open within {} s", OPEN_TIMEOUT.as_secs()),
    }
}

fn start_pool(config: &Config, context: &Arc<Context>) -> anyhow::Result<Option<PoolHandle>> {
    let size = match config.workers {
        config::PoolSize::Fixed(0) => return Ok(None),
        config::PoolSize::Fixed(size) => PoolSize::Fixed(size as usize),
        config::PoolSize::Auto { min, max } => {
            PoolSize::Auto(workers::AutoRange { min: min as usize, max: max as usize })
        }
    };
    let rulebook = Rulebook {
        contract: context.contract,
        lines: Arc::clone(&context.lines),
        recommend: RecommendPolicy::default(),
    };
    let clock = context.clock().clone();
    let predictor = workers::predictor(rulebook, Arc::new(move || clock.now()))?;
    let bell = Arc::clone(context);
    let worker_context =
        WorkerContext::new(Arc::clone(&context.store), Arc::clone(&context.shelf), predictor)
            .on_closed(Arc::new(move |batch_id| bell.ring_finalizer(batch_id)));
    Ok(Some(workers::start_pool(worker_context, size)?))
}

/// Supervisor and relay need no goodbye: whatever they were doing is done again by the next process.
fn start_actors(context: &Arc<Context>, bells: Bells) {
    supervisor::Supervisor::start_with(Arc::clone(context), bells);
    tokio::spawn(relay::run(Arc::clone(context)));
}

/// Runs a future on one multi-thread runtime that actors and sockets share (design.md 9).
pub fn run<T>(main: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let runtime = Arc::new(runtime);
    let shared = Arc::clone(&runtime);
    let answer = {
        // An actor is polled once more when its system goes, and may want to spawn then.
        let _on_runtime = runtime.enter();
        actix::System::with_tokio_rt(move || shared).block_on(main)
    };
    // A thread that hangs in a prediction must not hold the process up: its lease lapses.
    if let Some(runtime) = Arc::into_inner(runtime) {
        runtime.shutdown_background();
    }
    Ok(answer)
}
