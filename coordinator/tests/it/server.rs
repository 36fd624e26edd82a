//! `tipoff serve` as a child process, and the few requests these tests make.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// A server that is killed when the test is done with it.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    client: reqwest::Client,
}

impl Server {
    /// Starts a server on a free port with short leases; `env` adds to its environment.
    pub(crate) fn start(dir: &Path, state: Option<&str>, workers: u32, env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tipoff"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--workers", &workers.to_string()]);
        command.arg("--dir").arg(dir).current_dir(dir);
        if let Some(state) = state {
            command.args(["--state", state]);
        }
        for name in ["TIPOFF_CRASH_AT", "TIPOFF_FAULT", "TIPOFF_STATE", "TIPOFF_DIR", "TIPOFF_API_KEY"] {
            command.env_remove(name);
        }
        command.env("TIPOFF_PROTOCOL_LEASE_MS", "400").env("TIPOFF_PROTOCOL_SWEEP_MS", "100");
        command.envs(env.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("no address: {line}"));
        let client = reqwest::Client::builder().timeout(Duration::from_secs(25)).build().unwrap();
        Self { url: url.to_owned(), child, client }
    }

    /// Sends a signal by name.
    #[cfg(all(feature = "crash-points", feature = "faults"))]
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until the process is gone.
    #[cfg(all(feature = "crash-points", feature = "faults"))]
    pub(crate) fn wait_for_death(&mut self, why: &str) {
        let since = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(since.elapsed() < PATIENCE, "{why}: the process never died");
            std::thread::yield_now();
        }
    }

    /// A POST; none when the server died before it answered.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Option<(u16, Value)> {
        let answer = self.client.post(format!("{}{path}", self.url)).json(&body).send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.json().await.ok()?))
    }

    /// A GET that must be answered.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await.unwrap();
        answer.json().await.unwrap()
    }

    /// Waits until no batch is open.
    pub(crate) async fn settled(&self, why: &str) {
        let since = Instant::now();
        loop {
            let open = self.get("/status").await;
            if open["batches"].as_array().is_some_and(Vec::is_empty) {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "{why}: still open: {open:#}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Starts a batch and waits for its end.
    pub(crate) async fn run_batch(&self, request: Value) -> Value {
        let (status, started) = self.post("/start", request).await.unwrap();
        assert_eq!(status, 202, "{started:#}");
        self.settled("run a batch").await;
        self.get(&format!("/status?batch_id={}", started["batch_id"].as_str().unwrap())).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
