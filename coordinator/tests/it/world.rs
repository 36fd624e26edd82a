//! A simulated league, ingested and with features for its last day, ready to be started: made once per set of
//! options and copied for each test.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use coordinator::config::Config;
use coordinator::engine::{Instance, run};
use coordinator::service::{ServiceError, StartOutcome, StatusAnswer};
use jiff::Timestamp;
use pipeline::simulate::{SimOptions, SimReport};
use proto::api::{BatchStatus, StartRequest, Started};
use proto::{BatchId, codec};
use warehouse::Warehouse;

/// Longest wait of a test for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A folder of its own with a filled warehouse.
pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) report: SimReport,
}

/// Four games a day for three weeks: enough for every feature, quick to make.
pub(crate) fn small() -> SimOptions {
    let last_day = "2025-11-14".parse().unwrap();
    SimOptions {
        days: 21,
        from: "2025-10-25".parse().unwrap(),
        games_per_day: 4,
        players_per_team: 9,
        injured: 2,
        late: 0,
        ..SimOptions::ending(last_day, 7)
    }
}

impl World {
    /// A world like no other test's.
    pub(crate) fn new(options: &SimOptions) -> Self {
        let template = template(options);
        let dir = tempfile::tempdir().unwrap();
        fs::copy(template.join("warehouse.db"), dir.path().join("warehouse.db")).unwrap();
        let report =
            serde_json::from_str(&fs::read_to_string(template.join("report.json")).unwrap()).unwrap();
        Self { dir, report }
    }

    /// The settings of an instance that lives here; `edit` changes them.
    pub(crate) fn config(&self, edit: impl FnOnce(&mut Config)) -> Config {
        let mut config = Config::for_dir(self.dir.path()).unwrap();
        config.state = state::StateUrl::Memory;
        config.workers = coordinator::config::PoolSize::Fixed(2);
        edit(&mut config);
        config
    }

    /// A start of the last day as of an hour before its first tip-off.
    pub(crate) fn request(&self) -> StartRequest {
        StartRequest {
            game_date: Some(self.report.last_day.to_string()),
            as_of: Some(self.report.as_of),
            ..StartRequest::default()
        }
    }

    /// Runs a test against an instance that lives here.
    pub(crate) fn with_instance<T>(&self, config: &Config, test: impl AsyncFnOnce(&Instance) -> T) -> T {
        run(async {
            let instance = Instance::start(config).await.unwrap();
            let answer = test(&instance).await;
            instance.stop(Duration::from_secs(1)).await;
            answer
        })
        .unwrap()
    }
}

/// Starts and expects a batch.
pub(crate) async fn start(instance: &Instance, request: StartRequest) -> Started {
    match instance.service.start(request, "test").await.unwrap() {
        StartOutcome::Started(started) => *started,
        StartOutcome::Nothing(nothing) => panic!("{nothing:?}"),
    }
}

/// Starts and follows the batch to its end.
pub(crate) async fn finish(instance: &Instance, request: StartRequest) -> BatchStatus {
    let started = start(instance, request).await;
    ended(instance, &started.batch_id.unwrap()).await
}

/// Waits until a batch has ended.
pub(crate) async fn ended(instance: &Instance, batch_id: &BatchId) -> BatchStatus {
    until(instance, batch_id, |status| status.ended_at.is_some()).await
}

/// Waits until a batch is as wanted; bounded, and loud when it never is.
pub(crate) async fn until(
    instance: &Instance,
    batch_id: &BatchId,
    wanted: impl Fn(&BatchStatus) -> bool,
) -> BatchStatus {
    let since = Instant::now();
    loop {
        let answer = instance.service.status(Some(batch_id.clone()), None).await;
        match answer {
            Ok(StatusAnswer::One(status)) if wanted(&status) => return *status,
            Ok(answer) if since.elapsed() > PATIENCE => panic!("never as wanted: {answer:#?}"),
            Err(error) if since.elapsed() > PATIENCE => panic!("never as wanted: {error}"),
            // Not found: known to the warehouse as open and to a new store not at all, until the next sweep.
            Ok(_) | Err(ServiceError::Unavailable { .. } | ServiceError::NotFound { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// One number from the warehouse, by SQL as a person would ask.
pub(crate) async fn count(instance: &Instance, sql: &str) -> i64 {
    let table = instance.context.warehouse.sql(sql, warehouse::SqlLimits::default()).await.unwrap();
    table.rows[0][0].as_deref().unwrap_or("0").parse().unwrap()
}

/// One event of a snapshot in the vendor's order of fields, by whose beginning a file is recognised.
pub(crate) fn vendor_line(event: &serde_json::Value) -> String {
    const FIELDS: [&str; 7] =
        ["id", "sport_key", "sport_title", "commence_time", "home_team", "away_team", "bookmakers"];
    let fields = FIELDS.map(|name| format!("\"{name}\":{}", event["data"][name])).join(",");
    format!("{{\"timestamp\":{},\"data\":{{{fields}}}}}\n", event["timestamp"])
}

fn template(options: &SimOptions) -> PathBuf {
    let key = codec::sha256_hex(format!("{options:?} {:?}", binary_age()).as_bytes());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("world-{}", &key[..16]));
    if folder.join("report.json").exists() {
        return folder;
    }
    let making = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let report = run(make(options, making.path())).unwrap();
    fs::write(making.path().join("report.json"), serde_json::to_string(&report).unwrap()).unwrap();
    // Two tests may make the same one; the first rename stands, the other copy is as good.
    match fs::rename(making.path(), &folder) {
        Ok(()) => folder,
        Err(_) if folder.join("report.json").exists() => folder,
        Err(_) => making.keep(),
    }
}

/// A new build makes new worlds.
fn binary_age() -> std::time::SystemTime {
    let binary = std::env::current_exe().unwrap();
    fs::metadata(binary).unwrap().modified().unwrap()
}

async fn make(options: &SimOptions, folder: &Path) -> SimReport {
    let report = pipeline::simulate::days(options, &folder.join("files")).unwrap();
    let url = format!("sqlite:{}", folder.join("warehouse.db").display()).parse().unwrap();
    let warehouse = Warehouse::open(&url, rules::contract()).await.unwrap();
    let now = Timestamp::now();
    let ingest = pipeline::ingest::IngestOptions::simulated(now);
    let mut files = report.files.clone();
    files.extend(report.late_files.clone());
    pipeline::ingest::run(&warehouse, &files, ingest, |_| ()).await.unwrap();
    let day = report.last_day;
    pipeline::features::build_range(&warehouse, day, day, Timestamp::now(), |_, _| ()).await.unwrap();
    warehouse.close().await;
    report
}
