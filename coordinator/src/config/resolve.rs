//! From what people typed to what the program runs with. Whatever is still unset here gets its derived value.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use protocol::Timing;
use rules::lines::LinePolicy;
use rules::staleness::StalenessBudget;

use super::layers::Layers;
use super::settings::{Setting, WORLD_CLOCK, find};
use super::{
    ApiKey, ClientConfig, Config, ConfigError, KeyHash, LogConfig, LogFormat, Origin, PoolSize, ServerConfig,
    feeds, show,
};
use crate::clock::Clock;

/// Shortest API key: below it, guessing becomes a plan.
const MIN_KEY_CHARS: usize = 16;

/// Most worker threads a process keeps.
const MAX_WORKERS: i64 = 1024;

pub(crate) fn resolve(layers: &Layers) -> Result<Config, ConfigError> {
    let dir = PathBuf::from(layers.text("dir").unwrap_or_default());
    if dir.as_os_str().is_empty() {
        return Err(layers.refuse("dir", "expected a folder"));
    }
    let api_key = api_key(layers)?;
    let mut config = Config {
        state: store_url(layers, "state", dir.join("state.db"))?,
        warehouse: store_url(layers, "warehouse", dir.join("warehouse.db"))?,
        models: layers.text("models").map(PathBuf::from),
        clock: clock(layers)?,
        onnxruntime: layers.text("engines.onnxruntime").map(PathBuf::from),
        timing: timing(layers)?,
        finish_by_seconds: seconds(layers, "protocol.finish_by_seconds")?,
        min_coverage: bounded(layers, "protocol.min_coverage", 1.0)?,
        min_minutes: bounded(layers, "protocol.min_minutes", 48.0)?,
        watch_every: watch_every(layers)?,
        event_limit: SignedDuration::from_secs(seconds(layers, "events.limit_seconds")? as i64),
        server: server(layers, api_key.as_ref())?,
        client: client(layers, api_key)?,
        workers: workers(layers)?,
        lines: LinePolicy {
            rank: layers.texts("books.rank"),
            exclude: layers.texts("books.exclude"),
            not_in_consensus: layers.texts("books.not_in_consensus"),
            ..LinePolicy::default()
        },
        staleness: StalenessBudget {
            injuries: SignedDuration::from_hours(small(layers, "inputs.injuries_hours")?.into()),
            roster_days: small(layers, "inputs.roster_days")?,
        },
        feeds: feeds::feeds(layers)?,
        log: log(layers)?,
        shown: Vec::new(),
        dir,
    };
    config.shown = show::shown(layers, &config);
    Ok(config)
}

/// An address as its own parser reads it; a refused text is not repeated, for it may hold a password.
fn store_url<U>(layers: &Layers, key: &'static str, embedded: PathBuf) -> Result<U, ConfigError>
where
    U: FromStr<Err: std::fmt::Display>,
{
    let text = layers.text(key).unwrap_or_else(|| format!("sqlite:{}", embedded.display()));
    text.parse().map_err(|error: U::Err| {
        let origin = layers.origin(key).cloned().unwrap_or(Origin::Derived("dir"));
        ConfigError::Address { key, origin, why: error.to_string() }
    })
}

fn clock(layers: &Layers) -> Result<Clock, ConfigError> {
    let file = layers.text(WORLD_CLOCK).map(PathBuf::from);
    file.map_or(Ok(Clock::Host), |path| Clock::of_file(&path).map_err(|why| layers.refuse(WORLD_CLOCK, why)))
}

fn timing(layers: &Layers) -> Result<Timing, ConfigError> {
    let ms = |key| layers.whole(key);
    let lease_ms = ms("protocol.lease_ms").unwrap_or(Timing::default().lease_ms);
    // A day bounds every product of the derivation below.
    for key in ["protocol.lease_ms", "protocol.job_deadline_ms", "protocol.finalizer_lease_ms"] {
        if ms(key).is_some_and(|n| n > 86_400_000) {
            return Err(layers.refuse(key, "the longest is 86400000, one day"));
        }
    }
    let derived = Timing::from_lease(lease_ms);
    let max_attempts = layers.whole("protocol.max_attempts").unwrap_or(i64::from(derived.max_attempts));
    let timing = Timing {
        renew_ms: ms("protocol.renew_ms").unwrap_or(derived.renew_ms),
        job_deadline_ms: ms("protocol.job_deadline_ms").unwrap_or(derived.job_deadline_ms),
        sweep_ms: ms("protocol.sweep_ms").unwrap_or(derived.sweep_ms),
        finalizer_lease_ms: ms("protocol.finalizer_lease_ms").unwrap_or(derived.finalizer_lease_ms),
        max_attempts: u32::try_from(max_attempts)
            .map_err(|_| layers.refuse("protocol.max_attempts", "that many attempts never end"))?,
        ..derived
    };
    Ok(timing.validate()?)
}

fn server(layers: &Layers, api_key: Option<&ApiKey>) -> Result<ServerConfig, ConfigError> {
    let listen = layers.text("server.listen").unwrap_or_default();
    let listen: SocketAddr = listen.replacen("localhost:", "127.0.0.1:", 1).parse().map_err(|_| {
        layers.refuse("server.listen", "expected IP:PORT, such as 127.0.0.1:8080 or 0.0.0.0:8080")
    })?;
    Ok(ServerConfig {
        listen,
        admin_key: api_key.map(|key| KeyHash::of(key.reveal())),
        single_machine: layers.flag("server.single_machine"),
        max_connections: positive(layers, "server.max_connections")?,
        request_timeout: Duration::from_secs(seconds(layers, "server.request_timeout_seconds")?),
        header_timeout: Duration::from_secs(seconds(layers, "server.header_timeout_seconds")?),
        body_limit: positive(layers, "server.body_limit_bytes")?,
    })
}

fn client(layers: &Layers, api_key: Option<ApiKey>) -> Result<ClientConfig, ConfigError> {
    let server = layers.text("client.server").unwrap_or_default();
    let host = server.strip_prefix("http://").or_else(|| server.strip_prefix("https://"));
    if host.is_none_or(|host| host.is_empty() || host.contains(char::is_whitespace)) {
        let why = "expected an address such as http://127.0.0.1:8080";
        return Err(layers.refuse("client.server", why));
    }
    Ok(ClientConfig {
        server: server.trim_end_matches('/').to_owned(),
        api_key,
        timeout: Duration::from_secs(seconds(layers, "client.timeout_seconds")?),
    })
}

/// The key of the server: long enough not to be guessed.
fn api_key(layers: &Layers) -> Result<Option<ApiKey>, ConfigError> {
    let Some((source, key)) = secret(layers, "server.api_key", "server.api_key_file")? else {
        return Ok(None);
    };
    if key.chars().count() < MIN_KEY_CHARS || !key.chars().all(|c| c.is_ascii_graphic()) {
        let why = format!("the key must be {MIN_KEY_CHARS} or more visible ASCII characters");
        return Err(refused_secret(layers, source, why));
    }
    Ok(Some(ApiKey::new(key)))
}

/// A secret and the setting it came from: the environment or a file; never both, so that nobody rotates the wrong one.
pub(crate) fn secret(
    layers: &Layers,
    key: &'static str,
    file: &'static str,
) -> Result<Option<(&'static str, String)>, ConfigError> {
    let (source, text) = match (layers.text(key), layers.text(file)) {
        (Some(_), Some(_)) => {
            let variable = find(key).map(Setting::env_name).unwrap_or_default();
            return Err(layers.refuse(file, format!("{variable} is set too; keep one of them")));
        }
        (Some(text), None) => (key, text),
        (None, Some(path)) => match std::fs::read_to_string(&path) {
            Ok(text) => (file, text),
            Err(error) => return Err(layers.refuse(file, format!("the file cannot be read: {error}"))),
        },
        (None, None) => return Ok(None),
    };
    Ok(Some((source, text.trim().to_owned())))
}

/// The error for a secret that cannot be; it is not repeated.
pub(crate) fn refused_secret(layers: &Layers, source: &'static str, why: String) -> ConfigError {
    let origin = layers.origin(source).cloned().unwrap_or(Origin::Default);
    ConfigError::Impossible { key: source, found: "(secret)".to_owned(), origin, why }
}

fn workers(layers: &Layers) -> Result<PoolSize, ConfigError> {
    let count = |key: &'static str| match layers.whole(key) {
        Some(n) if n > MAX_WORKERS => Err(layers.refuse(key, format!("the most is {MAX_WORKERS}"))),
        Some(n) => Ok(u32::try_from(n).ok()),
        None => Ok(None),
    };
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get) as u32;
    let (size, min, max) = (count("workers.size")?, count("workers.min")?, count("workers.max")?);
    Ok(match (size, min, max) {
        (Some(size), _, _) => PoolSize::Fixed(size),
        (None, None, None) => PoolSize::Fixed(processors),
        (None, min, max) => {
            let min = min.unwrap_or(1);
            let max = max.unwrap_or(processors.max(min));
            if min > max {
                return Err(layers.refuse("workers.min", format!("it is above workers.max ({max})")));
            }
            if max == 0 {
                return Err(layers.refuse("workers.max", "use size = 0 to coordinate only"));
            }
            PoolSize::Auto { min, max }
        }
    })
}

fn log(layers: &Layers) -> Result<LogConfig, ConfigError> {
    let filter = layers.text("log.filter").unwrap_or_default();
    if let Err(error) = tracing_subscriber::EnvFilter::try_new(&filter) {
        return Err(layers.refuse("log.filter", format!("not a log filter: {error}; try info or debug")));
    }
    let format = match layers.text("log.format").as_deref() {
        Some("pretty") => LogFormat::Pretty,
        Some("json") => LogFormat::Json,
        _ => return Err(layers.refuse("log.format", "expected pretty or json")),
    };
    Ok(LogConfig { filter, format })
}

/// None: zero, the watcher is off.
/// A number from one to ten thousand.
fn small(layers: &Layers, key: &'static str) -> Result<i32, ConfigError> {
    let found = layers.whole(key).and_then(|n| i32::try_from(n).ok()).filter(|n| (1..=10_000).contains(n));
    found.ok_or_else(|| layers.refuse(key, "expected 1 to 10000"))
}

fn watch_every(layers: &Layers) -> Result<Option<Duration>, ConfigError> {
    match layers.whole("events.watch_seconds") {
        Some(0) => Ok(None),
        _ => seconds(layers, "events.watch_seconds").map(Duration::from_secs).map(Some),
    }
}

pub(crate) fn seconds(layers: &Layers, key: &'static str) -> Result<u64, ConfigError> {
    match layers.whole(key).map(u64::try_from) {
        Some(Ok(n)) if (1..=604_800).contains(&n) => Ok(n),
        _ => Err(layers.refuse(key, "expected 1 to 604800 seconds")),
    }
}

pub(crate) fn positive(layers: &Layers, key: &'static str) -> Result<usize, ConfigError> {
    match layers.whole(key).map(usize::try_from) {
        Some(Ok(n)) if n > 0 => Ok(n),
        _ => Err(layers.refuse(key, "expected at least 1")),
    }
}

fn bounded(layers: &Layers, key: &'static str, most: f64) -> Result<f64, ConfigError> {
    match layers.number(key) {
        Some(x) if (0.0..=most).contains(&x) => Ok(x),
        _ => Err(layers.refuse(key, format!("expected 0 to {most}"))),
    }
}
