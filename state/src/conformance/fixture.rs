//! A real `redis-server`, started for one test and stopped with it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

/// True when the environment says that tests shall do without Redis (`TIPOFF_SKIP_REDIS=1`).
pub fn redis_is_skipped() -> bool {
    std::env::var("TIPOFF_SKIP_REDIS").is_ok_and(|value| value == "1")
}

/// A child process on a free loopback port, without persistence. Dropping it kills it.
#[derive(Debug)]
pub struct RedisServer {
    child: Child,
    port: u16,
}

impl RedisServer {
    /// Starts a server and waits until it says that it is ready.
    ///
    /// # Panics
    /// When `redis-server` is not installed: a suite that leaves a store out must not look green.
    pub fn start(extra_args: &[&str]) -> Self {
        for _ in 0..8 {
            // Somebody may take the port between this line and the server's own bind: the server then ends at once.
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if let Some(server) = Self::start_on(port, extra_args) {
                return server;
            }
        }
        panic!("redis-server did not start on eight ports in a row");
    }

    /// Starts a server on a port, e.g. where a killed one was; none if the port is taken.
    pub fn start_on(port: u16, extra_args: &[&str]) -> Option<Self> {
        let spawned = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "no", "--loglevel", "notice"])
            .args(extra_args)
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(e) => panic!(
                "redis-server cannot be started ({e}): install it (Debian: apt-get install redis-server), \
                 or set TIPOFF_SKIP_REDIS=1 to leave Redis untested"
            ),
        };
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready =
            lines.by_ref().map_while(Result::ok).any(|line| line.contains("Ready to accept connections"));
        if !ready {
            let _ = child.wait();
            return None;
        }
        // A server whose log nobody reads would block on a full pipe.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Some(Self { child, port })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id, for tests that stop or kill it.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
