//! The log: on stderr, so that it never mixes with data. A server logs what is configured; a command of a person only
//! what he should see, unless he asked for more; the demo, which tells its own story, nothing but errors.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat, Origin};

/// Installs the log of this process.
///
/// `quiet` is what counts while nobody has asked for anything else; none: the configured default.
pub(crate) fn install(config: &Config, quiet: Option<&str>) {
    let is_default = config
        .shown()
        .iter()
        .any(|setting| setting.key == "log.filter" && setting.origin == Origin::Default.to_string());
    let filter = quiet.filter(|_| is_default).unwrap_or(&config.log.filter);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // Only a second installation in one process can fail, and then the first one logs.
    let _ = match config.log.format {
        LogFormat::Pretty => subscriber.with_target(false).try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
}
