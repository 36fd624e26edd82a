//! Commands against a real server on a free port.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use proto::api::BatchStatus;
use serde_json::Value;

use super::{Said, command, tipoff};
use crate::world::{World, small};

/// A `tipoff serve` that ends with its test.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(folder: &Path, args: &[&str], settings: &[(&str, &str)]) -> Self {
        let mut command = command(folder);
        command.args(["serve", "--dir", ".", "--listen", "127.0.0.1:0"]).args(args);
        command.envs(settings.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(url) = line.trim().strip_prefix("listening on ") else {
            let mut why = String::new();
            child.stderr.take().unwrap().read_to_string(&mut why).unwrap();
            panic!("the server did not start: {line}{why}");
        };
        Self { url: url.to_owned(), child }
    }

    fn ask(&self, folder: &Path, args: &[&str]) -> Said {
        tipoff(folder, &[&["--server", self.url.as_str()], args].concat())
    }

    /// SIGTERM, then its exit code and log.
    fn stop(mut self) -> (i32, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", pid.as_str()]).status().unwrap().success());
        let since = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(since.elapsed() < Duration::from_secs(20), "the server does not stop");
            std::thread::yield_now();
        };
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (status.code().unwrap_or(-1), log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test that failed half-way must not leave a server behind; one that stopped is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_slate_is_run_from_the_command_line() {
    let world = World::new(&small());
    let folder = world.dir.path();
    let key = "canary-0123456789abcdef";
    let server = Server::start(folder, &["--workers", "2"], &[("TIPOFF_API_KEY", key)]);
    let (date, as_of) = (world.report.last_day.to_string(), world.report.as_of.to_string());
    let ask = |args: &[&str]| -> Said {
        let mut command = command(folder);
        command.args(["--server", server.url.as_str()]).args(args).env("TIPOFF_API_KEY", key);
        command.output().unwrap().into()
    };

    assert!(server.ask(folder, &["status"]).exit(1).err.contains("TIPOFF_API_KEY"));
    assert!(ask(&["status"]).exit(0).out.contains("no batch is open"));
    let forecast = ask(&["start", "--game-date", &date, "--as-of", &as_of, "--dry-run"]).exit(0);
    assert!(forecast.out.contains("would run"), "{}", forecast.out);

    let said = ask(&["start", "--game-date", &date, "--as-of", &as_of, "--watch", "--json"]);
    let status: BatchStatus = serde_json::from_str(&said.out).unwrap();
    assert_eq!(status.state, "complete");
    let batch = status.batch_id.to_string();
    let code = said.code;
    assert_eq!(
        ask(&["status", &batch]).exit(code).out.lines().next(),
        ask(&["watch", &date]).exit(code).out.lines().next()
    );

    let players = ask(&["players", &batch]).exit(0);
    let without = status.progress.total - status.progress.predicted;
    assert_eq!(players.out.lines().count() as u64, 1 + without);
    assert_eq!(
        ask(&["players", &batch, "--all"]).exit(0).out.lines().count() as u64,
        1 + status.progress.total
    );
    let csv = ask(&["predictions", "--game-date", &date, "--format", "csv"]).exit(0);
    assert_eq!(csv.out.lines().count() as u64, 1 + status.rows.active);
    assert!(
        ask(&["predictions", "--game-date", &date, "--limit", "3"]).exit(0).err.contains("the first 3 rows")
    );
    let why = ask(&["status", &batch, "--why"]).exit(0);
    assert!(why.out.contains("it has ended"), "{}", why.out);
    let workers: Value =
        serde_json::from_str(&ask(&["workers", "--size", "1", "--json"]).exit(0).out).unwrap();
    assert!(workers["pool"].is_object(), "{workers}");

    assert!(ask(&["reset", &batch, "--yes"]).exit(5).err.contains("published"));
    assert!(ask(&["consolidate", &batch]).exit(code).out.contains("complete"));
    assert!(ask(&["watch", "batch_2020-01-01_1"]).exit(4).err.contains("there is no batch"));
    assert!(ask(&["start", "--system", "unheard_of"]).exit(2).err.contains("`systems`"));

    let (code, log) = server.stop();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("stopped") && !log.contains("canary"), "{log}");
}

#[test]
fn dangerous_verbs_ask_and_refuse_where_nobody_can_answer() {
    let world = World::new(&small());
    let folder = world.dir.path();
    let server = Server::start(folder, &["--workers", "0"], &[]);
    let (date, as_of) = (world.report.last_day.to_string(), world.report.as_of.to_string());
    let started = server.ask(folder, &["start", "--game-date", &date, "--as-of", &as_of]).exit(0);
    assert!(started.err.contains("tipoff watch"), "{}", started.err);
    let taken = server.ask(folder, &["start", "--game-date", &date, "--as-of", &as_of]).exit(5);
    assert!(taken.err.contains("tipoff watch batch_"), "{}", taken.err);

    assert!(server.ask(folder, &["reset", &date, "--dry-run"]).exit(0).out.contains("would be thrown away"));
    assert!(server.ask(folder, &["reset", &date]).exit(2).err.contains("--yes"));
    assert!(server.ask(folder, &["consolidate", &date]).exit(2).err.contains("--yes"));
    assert!(server.ask(folder, &["consolidate", &date, "--yes"]).exit(5).err.contains("required"));
    assert!(server.ask(folder, &["status"]).exit(0).out.contains("running"), "nothing was done so far");

    assert!(server.ask(folder, &["reset", &date, "--yes"]).exit(0).out.contains("is reset"));
    assert!(server.ask(folder, &["status", &date]).exit(1).out.contains("reset"));
    let occupied = server.url.trim_start_matches("http://").to_owned();
    assert!(tipoff(folder, &["serve", "--dir", ".", "--listen", &occupied]).exit(1).err.contains("--listen"));
    assert_eq!(server.stop().0, 0);
}

/// The incident's three hundred, each over a connection of its own to a process without workers.
#[test]
fn incident_09_three_hundred_starts_over_sockets_make_one_batch() {
    const STARTS: usize = 300;
    let world = World::new(&small());
    let server = Server::start(world.dir.path(), &["--workers", "0"], &[]);
    let url = format!("{}/start", server.url);
    let request = serde_json::to_value(world.request()).unwrap();
    let answers = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let client = reqwest::Client::builder().pool_max_idle_per_host(0).timeout(Duration::from_secs(60));
        let client = client.build().unwrap();
        let mut starts = tokio::task::JoinSet::new();
        // All of them are ready before the first one goes.
        let gate = std::sync::Arc::new(tokio::sync::Barrier::new(STARTS));
        for _ in 0..STARTS {
            let (call, gate) = (client.post(&url).json(&request), std::sync::Arc::clone(&gate));
            starts.spawn(async move {
                gate.wait().await;
                let answer = call.send().await.unwrap();
                let status = answer.status().as_u16();
                (status, answer.json::<Value>().await.unwrap())
            });
        }
        starts.join_all().await
    });
    let (started, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(status, _)| *status == 202);
    assert_eq!((started.len(), refused.len()), (1, STARTS - 1));
    let batch = &started[0].1["batch_id"];
    assert!(batch.is_string(), "{started:?}");
    for (status, problem) in &refused {
        assert_eq!((*status, &problem["batch_id"]), (409, batch), "{problem}");
        assert_eq!(problem["type"], "/problems/already-running", "{problem}");
    }
    let listed =
        tipoff(world.dir.path(), &["--dir", ".", "sql", "--json", "select count(*) from batches"]).exit(0);
    let listed: Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(listed["rows"][0][0], "1", "{listed}");
    assert_eq!(server.stop().0, 0);
}
