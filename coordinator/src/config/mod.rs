//! Configuration: four layers in one visible order, resolved and validated once.
//!
//! The predecessor's knobs were environment variables read where they were used; a misspelt one was a default
//! (incident 41's shape: the deploy that changed nothing). Here every setting stands with unit, default and reason
//! in `default.toml`, unknown names are refused, and each value remembers who set it.
//!
//! `Layers` is what people typed; [`Config`] is what the program runs with: durations, addresses, no option that
//! should be set by now. Secrets are hashed or wrapped on the way in and are never shown.

mod error;
mod feeds;
mod layers;
mod resolve;
mod secret;
mod settings;
mod show;
#[cfg(test)]
mod tests;

pub use error::ConfigError;
pub use feeds::FeedsConfig;
pub use layers::{DEFAULT_TOML, FlagValue, Origin};
pub use secret::{ApiKey, KeyHash};
pub use show::ShownSetting;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pipeline::ingest::IngestOptions;
use protocol::Timing;
use rules::lines::LinePolicy;
use rules::staleness::StalenessBudget;
use state::StateUrl;
use warehouse::WarehouseUrl;

use crate::clock::Clock;

/// Name of the configuration file in the working directory.
pub const FILE_NAME: &str = "tipoff.toml";

/// Everything the program runs with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Folder of the embedded stores.
    pub dir: PathBuf,
    /// Where open batches live.
    pub state: StateUrl,
    /// Where the tables live.
    pub warehouse: WarehouseUrl,
    /// Folder of further model cards.
    pub models: Option<PathBuf>,
    /// What tells the time of the world: this machine, unless days are simulated.
    pub clock: Clock,
    /// ONNX Runtime, or where it is; none: it is looked for.
    pub onnxruntime: Option<PathBuf>,
    /// The clocks of the protocol.
    pub timing: Timing,
    /// Default seconds from opening to the forced end.
    pub finish_by_seconds: u64,
    /// Default floor of coverage.
    pub min_coverage: f64,
    /// Default of the minutes below which a player without a quote is `low_minutes`.
    pub min_minutes: f64,
    /// How often inputs are compared with what was predicted last; none: never.
    pub watch_every: Option<Duration>,
    /// Greatest age of a message to `POST /events`.
    pub event_limit: SignedDuration,
    /// What `serve` needs.
    pub server: ServerConfig,
    /// What the commands that speak HTTP need.
    pub client: ClientConfig,
    /// Size of the pool.
    pub workers: PoolSize,
    /// How quotes are judged and ranked.
    pub lines: LinePolicy,
    /// How old rosters and injuries may be.
    pub staleness: StalenessBudget,
    /// Where lines come from by themselves.
    pub feeds: FeedsConfig,
    /// What is logged, and how.
    pub log: LogConfig,
    shown: Vec<ShownSetting>,
}

/// Settings of the server.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Hash of the admin key; none without a key.
    pub admin_key: Option<KeyHash>,
    /// True when no second instance exists.
    pub single_machine: bool,
    /// Connections at a time.
    pub max_connections: usize,
    /// Longest a request may take.
    pub request_timeout: Duration,
    /// Longest a client may take to send its headers.
    pub header_timeout: Duration,
    /// Largest request body in bytes.
    pub body_limit: usize,
}

/// Settings of the commands that speak HTTP.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Base address without a slash at its end.
    pub server: String,
    /// The key to show.
    pub api_key: Option<ApiKey>,
    /// Longest a call may take.
    pub timeout: Duration,
}

/// How many worker threads this process keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolSize {
    /// So many; zero coordinates only.
    Fixed(u32),
    /// Between these, by backlog and finish-by.
    Auto {
        /// At least so many.
        min: u32,
        /// At most so many.
        max: u32,
    },
}

/// How lines of the log look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One object a line.
    Json,
}

/// What is logged.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// Directives of `tracing`.
    pub filter: String,
    /// Its form.
    pub format: LogFormat,
}

/// What a load starts from; tests pass their own environment.
#[derive(Debug, Default)]
pub struct Sources {
    /// A file that must exist; none: `tipoff.toml` in the working directory, if it is there.
    pub file: Option<PathBuf>,
    /// The environment.
    pub environment: Vec<(String, String)>,
    /// Values of flags.
    pub flags: Vec<FlagValue>,
    /// Another default for `dir`, for `demo`.
    pub default_dir: Option<&'static str>,
}

impl Config {
    /// Loads and validates: built-in page < file < environment < flags.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let mut layers = layers::Layers::built_in()?;
        if let Some(dir) = sources.default_dir {
            layers.add_toml(&format!("dir = {dir:?}"), &Origin::Default)?;
        }
        match &sources.file {
            Some(path) => layers.add_file(path)?,
            None if Path::new(FILE_NAME).exists() => layers.add_file(Path::new(FILE_NAME))?,
            None => {}
        }
        layers.add_environment(sources.environment.iter().cloned())?;
        layers.add_flags(&sources.flags)?;
        resolve::resolve(&layers)
    }

    /// The defaults over a folder, for tests and embedding: no file, no environment.
    pub fn for_dir(dir: &Path) -> Result<Self, ConfigError> {
        let mut layers = layers::Layers::built_in()?;
        let value = toml::Value::String(dir.display().to_string());
        layers.add_flags(&[FlagValue { key: "dir", flag: "--dir", value }])?;
        resolve::resolve(&layers)
    }

    /// Now, in the world.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How files are ingested now: the usual way, with the books that are configured.
    pub fn ingest_options(&self) -> IngestOptions {
        IngestOptions::at(self.now()).with_lines(self.lines.clone())
    }

    /// Every setting with its resolved value and who set it; secrets as `(set)`.
    pub fn shown(&self) -> &[ShownSetting] {
        &self.shown
    }

    /// Refuses to serve where strangers could reach an unprotected server, or a second machine a store that is
    /// a file on this one.
    pub fn check_exposure(&self) -> Result<(), ConfigError> {
        let listen = self.server.listen;
        if listen.ip().is_loopback() {
            return Ok(());
        }
        if self.server.admin_key.is_none() {
            return Err(ConfigError::ExposedWithoutKey { listen });
        }
        let embedded = !matches!(self.state, StateUrl::Redis(_));
        if embedded && !self.server.single_machine {
            return Err(ConfigError::ExposedWithEmbeddedState { listen });
        }
        Ok(())
    }
}
