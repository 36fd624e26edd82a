//! What Prometheus reads: requests by route, status and duration, and gauges asked of the service at each scrape.

use std::sync::OnceLock;
use std::time::Duration;

use ::metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::service::{Service, StatusAnswer};

/// Upper bounds in seconds: from an in-memory answer to the request limit.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 20.0, 30.0];

static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Installs the recorder of this process, once; a second router shares it.
pub(crate) fn install() -> Option<&'static PrometheusHandle> {
    let handle = HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new().set_buckets(&SECONDS).ok()?;
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        // Somebody else's recorder stays; `/metrics` then has nothing to show and says so.
        ::metrics::set_global_recorder(recorder).ok()?;
        describe();
        Some(handle)
    });
    handle.as_ref()
}

/// Says what each metric means.
pub fn describe() {
    describe_counter!("tipoff_http_requests_total", "Requests by method, route and status.");
    describe_histogram!("tipoff_http_request_duration_seconds", "Time to answer, by route.");
    describe_gauge!("tipoff_ready", "1 when every check of /readyz holds.");
    describe_gauge!("tipoff_open_batches", "Batches that have not ended.");
    describe_gauge!("tipoff_open_jobs", "Jobs of open batches by place.");
    describe_gauge!("tipoff_workers", "Workers of this process: wanted, and alive.");
    describe_gauge!("tipoff_worker_threads_abandoned", "Prediction threads that were left behind.");
    describe_gauge!("tipoff_model_age_days", "Days from a model's last day of training to today.");
    describe_gauge!("tipoff_models_refused", "Models that cannot run.");
    describe_gauge!("tipoff_models_stale", "Models trained ten days ago or more.");
    describe_gauge!("tipoff_dead_letters", "Events no sink took, and refused messages.");
    describe_gauge!("tipoff_leases", "Live leases of every process.");
    describe_gauge!("tipoff_source_age_seconds", "Seconds since a source of lines last answered.");
    describe_gauge!("tipoff_source_asked", "1 while a source is asked, 0 while it rests after failures.");
    describe_gauge!("tipoff_source_credits", "Credits that a vendor says are left.");
    describe_gauge!("tipoff_staged_rows", "Rows of open batches that wait for the verdict.");
}

/// Counts one answered request.
pub(crate) fn count_request(method: &'static str, route: &str, status: u16, elapsed: Duration) {
    let route = route.to_owned();
    counter!("tipoff_http_requests_total", "method" => method, "route" => route.clone(), "status" => status.to_string())
        .increment(1);
    histogram!("tipoff_http_request_duration_seconds", "route" => route).record(elapsed.as_secs_f64());
}

/// The page of `GET /metrics`.
pub(crate) async fn page(service: &Service) -> Option<String> {
    let handle = install()?;
    gauge!("tipoff_ready").set(f64::from(u8::from(service.ready().await.ok)));
    if let Ok(StatusAnswer::Open(open)) = service.status(None, None).await {
        gauge!("tipoff_open_batches").set(open.batches.len() as f64);
        let sum = |of: fn(&proto::api::BatchStatus) -> u64| open.batches.iter().map(of).sum::<u64>() as f64;
        gauge!("tipoff_open_jobs", "place" => "queued").set(sum(|batch| batch.progress.queued));
        gauge!("tipoff_open_jobs", "place" => "leased").set(sum(|batch| batch.progress.leased));
        gauge!("tipoff_staged_rows").set(sum(|batch| batch.rows.staged));
    }
    if let Ok(letters) = service.dead_letters().await {
        gauge!("tipoff_dead_letters").set(letters.rows.len() as f64);
    }
    if let Ok(models) = service.models().await {
        gauge!("tipoff_models_refused").set(models.refused.len() as f64);
        let stale = models.models.iter().filter(|model| model.stale).count();
        gauge!("tipoff_models_stale").set(stale as f64);
        for model in models.models {
            let Some(age) = model.age_days else { continue };
            let (system, market) = (model.system_id.to_string(), model.market.to_string());
            gauge!("tipoff_model_age_days", "system" => system, "market" => market).set(age as f64);
        }
    }
    if let Ok(workers) = service.workers().await {
        gauge!("tipoff_leases").set(workers.leases.len() as f64);
        let pool = workers.pool.unwrap_or_default();
        gauge!("tipoff_workers", "is" => "wanted").set(pool.size as f64);
        gauge!("tipoff_workers", "is" => "alive").set(pool.workers.len() as f64);
        gauge!("tipoff_worker_threads_abandoned").set(pool.abandoned_threads as f64);
    }
    handle.run_upkeep();
    Some(handle.render())
}
