//! A simulated day with real processes: a server and a watcher of sources over one folder, killed in the middle of their
//! work, while files arrive and a vendor fails in every way. The processes read the world's time from a file; their
//! leases run by the machine's clock all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use proto::PlayerName;
use proto::trigger::TriggerKind;
use serde_json::{Value, json};
use warehouse::{SqlLimits, Warehouse, World};

use super::day::{Day, differ};
use super::vendor::{MOODS, Mood, Vendor};
use crate::cli::{command, tipoff};
use crate::server::{PATIENCE, Server};
use crate::world::vendor_line;

/// The world's seconds that pass while a test looks once.
const TICK: SignedDuration = SignedDuration::from_secs(1);
/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Leases as short as they may be on a busy machine; those of ingestion are twelve times as long.
const LEASE_MS: &str = "400";

/// How many more files are tried until the watcher of sources was killed at its work.
const MOST_TRIES: usize = 20;

/// Every column of the active rows, by player.
type Rows = BTreeMap<String, BTreeSet<Vec<Option<String>>>>;

/// How much happens on a day.
struct Pace {
    /// Between two files.
    every: SignedDuration,
    /// How many files arrive while a batch is open.
    during_a_batch: usize,
}

/// The day, its processes, and what should have come of it.
struct Night {
    day: Day,
    warehouse: Warehouse,
    vendor: Vendor,
    server: Option<Server>,
    feed: Option<Child>,
    /// Vendor's names that have not moved yet.
    still: Vec<String>,
    /// By how much the lines of a vendor's name have moved so far.
    moved: BTreeMap<String, f64>,
    /// Changes by lookup.
    changes: BTreeMap<String, u64>,
    /// The event that the vendor knows.
    event: Value,
    /// Until when the world's clock may run by itself.
    until: Timestamp,
    files: usize,
    messages: usize,
    /// How often the watcher of sources was killed while it held a lease.
    killed_at_work: u32,
}

impl Night {
    /// The whole slate is predicted; nobody watches yet.
    async fn falls(day: Day) -> Self {
        let url = format!("sqlite:{}", day.dir.path().join("warehouse.db").display()).parse().unwrap();
        let warehouse = Warehouse::open_in(World::Simulated, &url, rules::contract()).await.unwrap();
        let (mut names, mut event) = (BTreeSet::new(), None);
        day.odds(|name, _| {
            let lookup = PlayerName::parse(name).unwrap().lookup.to_string();
            if day.report.quoted.contains(&lookup) {
                names.insert(name.to_owned());
            }
        });
        let look = std::fs::read_to_string(&day.looks()[0]).unwrap();
        for line in look.lines() {
            event.get_or_insert_with(|| serde_json::from_str::<Value>(line).unwrap()["data"].clone());
        }
        let event = event.unwrap();
        let vendor = Vendor::of(&event).await;
        let settings = format!(
            "[odds_api]\nbase_url = \"{}\"\nwindow_minutes = 1440\nshortest_minutes = 20\nlongest_minutes = 20\n\
             credits_per_day = 100000\ndeadline_seconds = 1\n\
             [[sources]]\nname = \"drop\"\npath = \"arrived\"\nevery_seconds = 1\n",
            vendor.url()
        );
        std::fs::write(day.dir.path().join("tipoff.toml"), settings).unwrap();
        Self {
            until: day.now(),
            day,
            warehouse,
            vendor,
            server: None,
            feed: None,
            still: names.into_iter().collect(),
            moved: BTreeMap::new(),
            changes: BTreeMap::new(),
            event,
            files: 0,
            messages: 0,
            killed_at_work: 0,
        }
    }

    /// Kills the server, if there is one, and starts another.
    fn serve(&mut self, workers: u32) {
        self.server = None;
        let clock = self.day.clock_file();
        let env = [("TIPOFF_WORLD_CLOCK", clock.to_str().unwrap()), ("TIPOFF_EVENTS_WATCH_SECONDS", "1")];
        self.server = Some(Server::start(self.day.dir.path(), None, workers, &env));
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    /// Kills the watcher of sources, if there is one, and starts another.
    fn watch(&mut self) {
        self.kill_feed();
        let mut command = command(self.day.dir.path());
        command.args(["ingest", "--watch", "--dir", "."]);
        command
            .env("TIPOFF_WORLD_CLOCK", self.day.clock_file())
            .env("TIPOFF_ODDS_API_KEY", "canary-0123456789");
        command.env("TIPOFF_PROTOCOL_LEASE_MS", LEASE_MS).stdout(Stdio::null()).stderr(Stdio::null());
        self.feed = Some(command.spawn().unwrap());
    }

    fn kill_feed(&mut self) {
        if let Some(mut feed) = self.feed.take() {
            feed.kill().unwrap();
            feed.wait().unwrap();
        }
    }

    /// The world's clock goes on, but not past the next file.
    fn tick(&self) {
        let next = self.day.now() + TICK;
        if next < self.until {
            self.day.set_instant(next);
        }
    }

    /// Lets the world go on until something is so.
    async fn until(&self, what: &str, is_so: impl AsyncFn(&Self) -> bool) {
        let since = Instant::now();
        while !is_so(self).await {
            assert!(since.elapsed() < PATIENCE, "at {} not yet: {what}", self.day.now());
            self.tick();
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// A file of all lines as they are now; its name.
    fn drop_file(&mut self) -> String {
        let moved = &self.moved;
        let file = self.day.odds(|name, outcome| raise(outcome, moved.get(name).copied().unwrap_or(0.0)));
        self.files += 1;
        name_of(&file)
    }

    /// A file arrives in which so many players have moved who never moved before; their lookups.
    fn arrive(&mut self, movers: usize) -> (String, BTreeSet<String>) {
        let movers: Vec<String> = self.still.drain(..movers).collect();
        for name in &movers {
            self.moved.insert(name.clone(), 1.0);
            let lookup = PlayerName::parse(name).unwrap().lookup.to_string();
            *self.changes.entry(lookup).or_default() += 1;
        }
        let file = self.drop_file();
        (file, movers.iter().map(|name| PlayerName::parse(name).unwrap().lookup.to_string()).collect())
    }

    async fn ingested(&self, file: &str) {
        let is_in = async |night: &Self| {
            let files = night.warehouse.source_files().await.unwrap();
            files.iter().any(|known| known.name == file)
        };
        self.until(&format!("`{file}` is ingested"), is_in).await;
    }

    /// Kills the watcher of sources at its work on a file. It may be done with it in the moment between look and signal;
    /// then it is tried with another file, which says the same.
    async fn killed_at(&mut self, file: &str) {
        self.ingested_by_the_next(file).await;
        for _ in 0..MOST_TRIES {
            if self.killed_at_work > 0 {
                return;
            }
            let file = self.drop_file();
            self.ingested_by_the_next(&file).await;
        }
    }

    /// Waits for a file, and kills the watcher of sources when it holds a lease for it.
    async fn ingested_by_the_next(&mut self, file: &str) {
        let leases = async |night: &Self| !night.warehouse.open_leases().await.unwrap().is_empty();
        let is_in = async |night: &Self| {
            let files = night.warehouse.source_files().await.unwrap();
            leases(night).await || files.iter().any(|known| known.name == file)
        };
        self.until("somebody ingests", is_in).await;
        self.kill_feed();
        // What it held when it died, it still holds.
        self.killed_at_work += u32::from(leases(self).await);
        self.watch();
        self.ingested(file).await;
    }

    /// Says that lines came in, and answers once the message stands.
    async fn tell(&mut self) {
        self.messages += 1;
        let message = json!({
            "specversion": "1.0", "id": self.messages.to_string(), "source": "test",
            "type": "tipoff.lines.updated.v1", "time": self.day.now().to_string(),
            "data": {"game_date": self.day.report.last_day.to_string()}
        });
        let (status, answer) = self.server().post("/events", message).await.unwrap();
        assert_eq!(status, 202, "{answer:#}");
    }

    /// The batch that is open, if one is.
    async fn open_batch(&self) -> Option<String> {
        let open = self.server().get("/status").await;
        open["batches"][0]["batch_id"].as_str().map(str::to_owned)
    }

    /// The batch whose jobs wait or run, if one is. Who is killed before that has promised nobody anything.
    async fn running_batch(&self) -> Option<String> {
        let open = self.server().get("/status").await;
        let batch = &open["batches"][0];
        batch["batch_id"].as_str().filter(|_| batch["state"] == "running").map(str::to_owned)
    }

    /// Every batch with its outcomes, for whoever has to find out why a test failed.
    async fn batches(&self) -> String {
        let sql =
            "select b.generation, b.as_of, b.state, b.reason, o.outcome, o.code, count(*), min(o.sentence)
                   from batches b left join job_outcomes o on o.batch_id = b.batch_id
                   group by b.generation, o.outcome, o.code order by b.generation";
        let rows = self.table(sql).await;
        let line = |row: Vec<Option<String>>| {
            row.into_iter().map(|cell| cell.unwrap_or_default()).collect::<Vec<_>>().join(" | ")
        };
        rows.into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Asserts that the rows of these players have changed, and nobody else's.
    async fn only_moved(&self, moved: &BTreeSet<String>, before: &Rows, after_what: &str) {
        let differing = differ(before, &self.rows().await);
        assert_eq!(differing, *moved, "{after_what}: who moved, nobody else\n{}", self.batches().await);
    }

    /// Waits until every message has had its effect.
    async fn settled(&self) {
        let is_quiet = async |night: &Self| {
            let open = night.warehouse.open_runs(Timestamp::MIN).await.unwrap();
            let waits = open.iter().any(|run| TriggerKind::of_stage(&run.stage).is_some());
            !waits && night.open_batch().await.is_none()
        };
        self.until("every message has had its effect", is_quiet).await;
    }

    /// Every active row with every column.
    async fn rows(&self) -> Rows {
        let limits = SqlLimits { rows: 100_000, ..SqlLimits::default() };
        let table = self.warehouse.sql("select * from predictions where is_active", limits).await.unwrap();
        assert!(!table.truncated);
        let player = table.columns.iter().position(|column| column == "player_lookup").unwrap();
        let mut rows = Rows::new();
        for row in table.rows {
            rows.entry(row[player].clone().unwrap()).or_default().insert(row);
        }
        rows
    }

    async fn table(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.warehouse.sql(sql, SqlLimits::default()).await.unwrap().rows
    }

    /// A quiet half-hour: a file, and whoever moved in it.
    async fn single(&mut self, movers: usize, kill: bool) {
        let before = self.rows().await;
        let (file, moved) = self.arrive(movers);
        match kill {
            true => self.killed_at(&file).await,
            false => self.ingested(&file).await,
        }
        self.tell().await;
        if kill {
            // The message stands; whoever took it is gone.
            self.serve(2);
        }
        self.settled().await;
        self.only_moved(&moved, &before, &file).await;
    }

    /// A file starts a batch that nobody works on; the next one arrives meanwhile, and the server is killed.
    async fn pair(&mut self, next: Timestamp, until: Timestamp) {
        let before = self.rows().await;
        self.serve(0);
        let (file, mut moved) = self.arrive(1);
        self.ingested(&file).await;
        self.tell().await;
        self.until("a batch runs", async |night: &Self| night.running_batch().await.is_some()).await;
        let open = self.open_batch().await;
        self.advance(next, until);
        let (file, also) = self.arrive(1);
        moved.extend(also);
        self.ingested(&file).await;
        assert_eq!(self.open_batch().await, open, "it arrived while the batch was open");
        self.serve(2);
        self.tell().await;
        self.settled().await;
        self.only_moved(&moved, &before, &file).await;
    }

    /// The vendor is well again, and one more player of his event has moved.
    async fn vendor_recovers(&mut self) {
        let before = self.rows().await;
        let of_event: BTreeSet<String> = outcomes(&mut self.event.clone())
            .filter_map(|outcome| outcome["description"].as_str().map(str::to_owned))
            .collect();
        let at = self.still.iter().position(|name| of_event.contains(name)).unwrap();
        let name = self.still.remove(at);
        let lookup = PlayerName::parse(&name).unwrap().lookup.to_string();
        self.moved.insert(name, 1.0);
        self.changes.insert(lookup.clone(), 1);
        let (now, mut event) = (self.day.now().to_string(), self.event.clone());
        for book in event["bookmakers"].as_array_mut().unwrap() {
            for market in book["markets"].as_array_mut().unwrap() {
                market["last_update"] = now.as_str().into();
            }
        }
        for outcome in outcomes(&mut event) {
            let by = outcome["description"].as_str().and_then(|name| self.moved.get(name)).copied();
            raise(outcome, by.unwrap_or(0.0));
        }
        let wrapped = json!({"timestamp": now, "data": event});
        let line = vendor_line(&wrapped);
        let data = line.split_once("\"data\":").unwrap().1.trim_end().strip_suffix('}').unwrap();
        self.vendor.quotes(data.to_owned());
        self.vendor.is(Mood::Well);
        let asked = async |night: &Self| {
            let sql = "select count(*) from source_files where name like '%.json.gz' and rows_new > 0";
            night.table(sql).await[0][0].as_deref() != Some("0")
        };
        self.until("the vendor's answer is ingested", asked).await;
        self.tell().await;
        self.settled().await;
        self.only_moved(&BTreeSet::from([lookup]), &before, "the vendor's answer").await;
    }

    /// The clock goes to a half-hour, and may run by itself until the next one.
    fn advance(&mut self, to: Timestamp, until: Timestamp) {
        self.day.set_instant(to);
        self.until = until;
    }
}

impl Drop for Night {
    fn drop(&mut self) {
        self.kill_feed();
    }
}

fn raise(outcome: &mut Value, by: f64) {
    if by != 0.0 {
        outcome["point"] = (outcome["point"].as_f64().unwrap() + by).into();
    }
}

fn outcomes(event: &mut Value) -> impl Iterator<Item = &mut Value> {
    let books = event["bookmakers"].as_array_mut().unwrap().iter_mut();
    let markets = books.flat_map(|book| book["markets"].as_array_mut().unwrap());
    markets.flat_map(|market| market["outcomes"].as_array_mut().unwrap())
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap().to_string_lossy().into_owned()
}

/// Two o'clock to eleven in the evening.
async fn live_through(day: Day, pace: &Pace) {
    let mut night = Night::falls(day).await;
    night.serve(2);
    let request = json!({"game_date": night.day.report.last_day.to_string()});
    let first = night.server().run_batch(request).await;
    assert_eq!(first["state"], "complete", "{first:#}");
    let at_first = night.rows().await;
    night.watch();

    let first_tip = night.day.report.first_tip_off;
    let (mut at, end) = (night.day.at("02:00"), night.day.at("23:00"));
    let files_before_tip = (first_tip - at).total(jiff::Unit::Second).unwrap() / pace.every.as_secs_f64();
    let turns_before_tip = files_before_tip.ceil() as usize - pace.during_a_batch;
    let mood_of = |turn: usize| MOODS[(turn * MOODS.len() / turns_before_tip).min(MOODS.len() - 1)];
    let (mut pairs, mut is_well) = (0, false);
    for turn in 0.. {
        let (next, after) = (at + pace.every, at + pace.every + pace.every);
        if at > end {
            break;
        }
        night.advance(at, next);
        let mood = mood_of(turn);
        if mood != Mood::Well {
            night.vendor.is(mood);
        }
        if at >= first_tip {
            // Whatever is said once games have begun: nobody moves, nobody is predicted again.
            night.single(0, false).await;
        } else if pairs < pace.during_a_batch {
            pairs += 1;
            night.pair(next, after).await;
            at = next;
        } else if mood == Mood::Well && !is_well {
            is_well = true;
            night.vendor_recovers().await;
            night.single(1, false).await;
        } else {
            let kill = night.killed_at_work == 0;
            night.single(turn % 2, kill).await;
        }
        if mood != Mood::Well && mood != mood_of(turn + 1) {
            let asked = async |night: &Night| night.vendor.calls(mood) > 0;
            night.until(&format!("the vendor is asked while he is {mood:?}"), asked).await;
        }
        at += pace.every;
    }
    assert!(is_well && pairs == pace.during_a_batch, "{pairs} files arrived during a batch");
    assert!(night.killed_at_work > 0, "the watcher of sources was never killed at work");
    check(&mut night, &at_first).await;
}

/// No file is unprocessed, everybody affected was predicted once per change, and the others' rows are what they were.
async fn check(night: &mut Night, at_first: &Rows) {
    night.kill_feed();
    let folder: PathBuf = night.day.dir.path().to_owned();
    let mut again = command(&folder);
    again.env("TIPOFF_WORLD_CLOCK", night.day.clock_file());
    again.args(["ingest", "--dir", ".", "--files", "--json", "arrived", "raw"]);
    let said: crate::cli::Said = again.output().unwrap().into();
    let report: Value = serde_json::from_str(&said.exit(0).out).unwrap();
    let files = report["files"].as_array().unwrap();
    assert!(files.len() > night.files, "the vendor's answers are among them");
    assert!(files.iter().all(|file| file["state"] == "known"), "all are in already: {files:#?}");

    let of_changes =
        "select o.player_lookup, count(*) from job_outcomes o join batches b on b.batch_id = o.batch_id
                      where b.generation > 1 and b.state in ('complete', 'partial') group by 1";
    let predicted: BTreeMap<String, u64> = night
        .table(of_changes)
        .await
        .into_iter()
        .map(|row| (row[0].clone().unwrap(), row[1].as_deref().unwrap().parse().unwrap()))
        .collect();
    assert_eq!(predicted, night.changes, "everybody affected once per change, nobody else");
    let now = night.rows().await;
    let affected: BTreeSet<String> = night.changes.keys().cloned().collect();
    assert_eq!(differ(at_first, &now), affected, "the others' rows are byte-identical");
    // Who withdraws while his lease lapses, or is killed at it, leaves a batch that is withdrawn and reset.
    let unwell = "select count(*) from batches where state <> 'complete' and withdrawn_reason is null";
    assert_eq!(night.table(unwell).await[0][0].as_deref(), Some("0"), "{}", night.batches().await);
    assert!(night.warehouse.open_leases().await.unwrap().is_empty());
    // Whoever looks at such a world with the machine's clock is told what it is.
    let real = tipoff(&folder, &["runs", "--dir", "."]).exit(1);
    assert!(real.err.contains("is of a simulated world"), "{real:?}");
}

fn live(pace: &Pace) {
    let day = Day::night();
    tokio::runtime::Runtime::new().unwrap().block_on(live_through(day, pace));
}

#[test]
fn show_3_a_simulated_day_with_real_processes_that_are_killed() {
    live(&Pace { every: SignedDuration::from_mins(90), during_a_batch: 4 });
}

#[test]
#[ignore = "takes minutes: scripts/prove day"]
fn show_3_a_simulated_day_in_full() {
    live(&Pace { every: SignedDuration::from_mins(30), during_a_batch: 16 });
}
