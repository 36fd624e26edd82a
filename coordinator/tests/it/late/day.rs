//! A simulated day in a world whose clock the test sets: files arrive, time passes, nothing sleeps.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use coordinator::clock::Clock;
use coordinator::config::{Config, PoolSize};
use coordinator::engine::{Follower, Instance, run};
use jiff::Timestamp;
use jiff::civil::Time;
use pipeline::ingest::IngestOptions;
use pipeline::simulate::{SimOptions, SimReport};
use proto::api::{BatchStatus, StartRequest};
use proto::league_time::league_instant;
use proto::trigger::TriggerKind;
use serde_json::Value;
use warehouse::{Warehouse, World};

use crate::world::{self, small};

const PATIENCE: Duration = Duration::from_secs(30);

/// A day that has only begun: its first look at the odds is in, features are built, nothing is predicted.
pub(crate) struct Day {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) report: SimReport,
    clock: Arc<AtomicI64>,
}

impl Day {
    /// Three weeks end on this day.
    pub(crate) fn dawn() -> Self {
        Self::dawn_with(|day| day.looks().remove(0))
    }

    /// The same with another first look.
    pub(crate) fn dawn_with(first_look: impl FnOnce(&Self) -> PathBuf) -> Self {
        Self::begun(["05:00", "06:05"], first_look)
    }

    /// A day that begins in the night, with a look that says what the morning's will say.
    pub(crate) fn night() -> Self {
        Self::begun(["01:00", "01:30"], |day| day.odds(|_, _| ()))
    }

    fn begun([begin, looked]: [&str; 2], first_look: impl FnOnce(&Self) -> PathBuf) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = SimOptions { injured: 0, ..small() };
        let report = pipeline::simulate::days(&options, &dir.path().join("files")).unwrap();
        let day = Self { dir, report, clock: Arc::default() };
        day.set(begin);
        // First, because it writes a file of this time.
        let first_name = day.first_name();
        let first_look = first_look(&day);
        let (looks, morning) = (day.looks(), dir_file(&day, "injuries.csv"));
        let is_known = |file: &&PathBuf| !looks.contains(file) && **file != morning;
        let mut before: Vec<PathBuf> = day.report.files.iter().filter(is_known).cloned().collect();
        // The list is kept up: somebody is on it, and he is well.
        before.push(day.injury_report(&first_name, "", "available"));
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let url = format!("sqlite:{}", day.dir.path().join("warehouse.db").display()).parse().unwrap();
            let warehouse = Warehouse::open_in(World::Simulated, &url, rules::contract()).await.unwrap();
            day.bring(&warehouse, &before).await;
            day.set(looked);
            day.bring(&warehouse, &[first_look]).await;
            let (date, now) = (day.report.last_day, day.now());
            pipeline::features::build_range(&warehouse, date, date, now, |_, _| ()).await.unwrap();
            warehouse.close().await;
        });
        day
    }

    /// The first name in the first look, as the vendor writes it.
    fn first_name(&self) -> String {
        let mut first = None;
        self.odds(|name, _| {
            first.get_or_insert_with(|| name.to_owned());
        });
        first.unwrap()
    }

    /// The files with odds of the day, first to last.
    pub(crate) fn looks(&self) -> Vec<PathBuf> {
        let date = self.report.last_day.strftime("%Y%m%d_").to_string();
        let of_the_day =
            |file: &&PathBuf| file.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&date));
        self.report.files.iter().filter(of_the_day).cloned().collect()
    }

    /// Now, in this world.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.clock.load(Ordering::Relaxed)).unwrap()
    }

    /// Sets the league's wall clock on the day.
    pub(crate) fn set(&self, time: &str) {
        self.set_instant(self.at(time));
    }

    /// An instant of the day.
    pub(crate) fn at(&self, time: &str) -> Timestamp {
        let time: Time = time.parse().unwrap();
        league_instant(self.report.last_day.to_datetime(time))
    }

    /// Sets the clock of this process and of those that read it from the file.
    pub(crate) fn set_instant(&self, at: Timestamp) {
        self.clock.store(at.as_millisecond(), Ordering::Relaxed);
        // Replaced as a whole: nobody reads half an instant.
        fs::write(self.dir.path().join("clock.new"), at.to_string()).unwrap();
        fs::rename(self.dir.path().join("clock.new"), self.clock_file()).unwrap();
    }

    /// The clock of this day for other processes.
    pub(crate) fn clock_file(&self) -> PathBuf {
        self.dir.path().join("clock")
    }

    async fn bring(&self, warehouse: &Warehouse, files: &[PathBuf]) {
        let options = IngestOptions::at(self.now());
        let report = pipeline::ingest::run(warehouse, files, options, |_| ()).await.unwrap();
        assert!(report.is_clean(), "{report:#?}");
    }

    /// Ingests a file as of now.
    pub(crate) async fn arrive(&self, instance: &Instance, file: PathBuf) {
        self.bring(&instance.context.warehouse, &[file]).await;
    }

    /// Runs a test against an instance of this world; the watcher looks when the test says so.
    pub(crate) fn with_instance<T>(
        &self,
        workers: u32,
        test: impl AsyncFnOnce(&Instance, &Config) -> T,
    ) -> T {
        let mut config = Config::for_dir(self.dir.path()).unwrap();
        config.state = state::StateUrl::Memory;
        config.workers = PoolSize::Fixed(workers);
        config.watch_every = None;
        config.clock = Clock::Set(Arc::clone(&self.clock));
        run(async {
            let instance = Instance::start(&config).await.unwrap();
            let answer = test(&instance, &config).await;
            instance.stop(Duration::from_secs(1)).await;
            answer
        })
        .unwrap()
    }

    /// A start of the day as things are now.
    pub(crate) fn request(&self) -> StartRequest {
        StartRequest { game_date: Some(self.report.last_day.to_string()), ..StartRequest::default() }
    }

    /// The first look's file as of another time: `edit` changes each outcome of a player, by his vendor's name;
    /// null takes it away.
    pub(crate) fn odds(&self, mut edit: impl FnMut(&str, &mut Value)) -> PathBuf {
        let now = self.now().to_string();
        let text = fs::read_to_string(&self.looks()[0]).unwrap();
        let lines = text.lines().map(|line| {
            let mut event: Value = serde_json::from_str(line).unwrap();
            event["timestamp"] = now.as_str().into();
            for book in event["data"]["bookmakers"].as_array_mut().unwrap() {
                for market in book["markets"].as_array_mut().unwrap() {
                    market["last_update"] = now.as_str().into();
                    for outcome in market["outcomes"].as_array_mut().unwrap() {
                        if let Some(player) = outcome["description"].as_str().map(str::to_owned) {
                            edit(&player, outcome);
                        }
                    }
                    market["outcomes"].as_array_mut().unwrap().retain(|outcome| !outcome.is_null());
                }
            }
            world::vendor_line(&event)
        });
        let text: String = lines.collect();
        self.write(&format!("{}.jsonl", self.now().strftime("%Y%m%d_%H%M%S-arrived")), &text)
    }

    /// A report about one player.
    pub(crate) fn injury_report(&self, name: &str, team: &str, status: &str) -> PathBuf {
        let text =
            format!("reported_at,player,team,status,note\n{},{name},{team},{status},knee\n", self.now());
        self.write(&format!("injuries-{}.csv", self.now().as_second()), &text)
    }

    /// The schedule with one game changed: `edit` gets its fields by name.
    pub(crate) fn schedule(&self, game: &str, edit: impl Fn(&mut BTreeMap<String, String>)) -> PathBuf {
        let text = fs::read_to_string(self.dir.path().join("files/schedule.csv")).unwrap();
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next().unwrap().split(',').collect();
        let mut page = header.join(",") + "\n";
        let mut found = 0;
        for line in lines {
            let fields = header.iter().zip(line.split(','));
            let mut row: BTreeMap<String, String> =
                fields.map(|(name, value)| ((*name).to_owned(), value.to_owned())).collect();
            let code = row["game_code"].replace('/', "");
            if game.replace('_', "") == code {
                found += 1;
                edit(&mut row);
                page += &(header.iter().map(|name| row[*name].clone()).collect::<Vec<_>>().join(",") + "\n");
            }
        }
        assert_eq!(found, 1, "{game} is one game of the schedule");
        self.write(&format!("schedule-{}.csv", self.now().as_second()), &page)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let folder = self.dir.path().join("arrived");
        fs::create_dir_all(&folder).unwrap();
        let path: PathBuf = Path::new(&folder).join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

/// A simulated file of a day.
fn dir_file(day: &Day, name: &str) -> PathBuf {
    day.dir.path().join("files").join(name)
}

/// Lets the watcher look, and follows what it started. Answers the batch, if it started one.
pub(crate) async fn watch(instance: &Instance, day: &Day) -> Option<BatchStatus> {
    let before = newest(instance, day).await;
    Follower::new(instance.service.clone()).watch().await.unwrap();
    settled(instance).await;
    let after = newest(instance, day).await.unwrap();
    let is_new = before.is_none_or(|before| before.batch_id != after.batch_id);
    match is_new {
        true => Some(world::ended(instance, &after.batch_id).await),
        false => None,
    }
}

/// Waits until no message is open and no batch of its making either.
pub(crate) async fn settled(instance: &Instance) {
    let since = Instant::now();
    let mut follower = Follower::new(instance.service.clone());
    loop {
        follower.round().await.unwrap();
        let open = instance.context.warehouse.open_runs(Timestamp::MIN).await.unwrap();
        let waits = |run: &&warehouse::RunRecord| TriggerKind::of_stage(&run.stage).is_some();
        if open.iter().find(waits).is_none() {
            return;
        }
        assert!(since.elapsed() < PATIENCE, "messages still wait: {open:#?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The slate's newest batch that was not withdrawn.
async fn newest(instance: &Instance, day: &Day) -> Option<BatchStatus> {
    let page = instance.service.batches(Some(day.report.last_day.to_string()), Some(20), None).await.unwrap();
    page.rows.into_iter().next()
}

/// Who had a job in a batch.
pub(crate) async fn players_of(instance: &Instance, batch: &BatchStatus) -> BTreeSet<String> {
    let players = instance.service.players(&batch.batch_id, None, None, None).await.unwrap().rows;
    players.into_iter().map(|line| line.player_lookup.to_string()).collect()
}

/// Hashes of the active rows, by player.
pub(crate) async fn active(instance: &Instance, day: &Day) -> BTreeMap<String, BTreeSet<(String, String)>> {
    let slate = proto::Slate::nba(day.report.last_day);
    let mut rows: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for row in instance.context.warehouse.active_rows(slate).await.unwrap() {
        rows.entry(row.key.player.to_string())
            .or_default()
            .insert((row.batch_id.to_string(), row.row_sha256.to_string()));
    }
    rows
}

/// Whose active rows differ in any bit, or in the batch they are from.
pub(crate) fn differ<T: PartialEq>(
    before: &BTreeMap<String, T>,
    after: &BTreeMap<String, T>,
) -> BTreeSet<String> {
    let all = before.keys().chain(after.keys());
    all.filter(|player| before.get(*player) != after.get(*player)).cloned().collect()
}
