//! What can be wrong with a configuration, in sentences that say who said it and what to do.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::Origin;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there or not readable.
    #[error("read configuration `{path}`: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{origin} is not TOML: {detail}")]
    Malformed {
        /// Where.
        origin: Origin,
        /// What the parser says.
        detail: String,
    },
    /// A key nobody knows.
    #[error("{origin}: unknown setting `{key}`; {hint}`tipoff config show` lists every setting")]
    UnknownKey {
        /// The key.
        key: String,
        /// Where it stands.
        origin: Origin,
        /// What it may have meant.
        hint: String,
    },
    /// An environment variable that looks like ours and is not.
    #[error("environment: `{name}` names no setting; {hint}`tipoff config show` lists every setting")]
    UnknownVariable {
        /// Its name.
        name: String,
        /// What it may have meant.
        hint: String,
    },
    /// A secret where anybody can read it.
    #[error(
        "{origin}: `{key}` is a secret and is not read from a file that is shared; set {variable}, or {key}_file"
    )]
    SecretInFile {
        /// The key.
        key: &'static str,
        /// The variable that may hold it.
        variable: String,
        /// Where it stands.
        origin: Origin,
    },
    /// The clock of a simulated day where it would be forgotten.
    #[error("{origin}: the clock of a simulated day is not read from a file that stays; set {variable}")]
    ClockInFile {
        /// The variable that may hold it.
        variable: String,
        /// Where it stands.
        origin: Origin,
    },
    /// A value of the wrong type.
    #[error("{origin}: `{key}` is `{found}`, expected {expected}")]
    WrongKind {
        /// The key.
        key: &'static str,
        /// What was typed.
        found: String,
        /// Where.
        origin: Origin,
        /// What would do.
        expected: &'static str,
    },
    /// A value of the right type that cannot be.
    #[error("{origin}: `{key}` is `{found}`: {why}")]
    Impossible {
        /// The key.
        key: &'static str,
        /// What was typed.
        found: String,
        /// Where.
        origin: Origin,
        /// The rule it breaks.
        why: String,
    },
    /// An address of a store that cannot be read; it may hold a password and is not repeated.
    #[error("{origin}: `{key}`: {why}")]
    Address {
        /// The key.
        key: &'static str,
        /// Where it was typed.
        origin: Origin,
        /// What the address's parser says.
        why: String,
    },
    /// A source that cannot be used as it is described.
    #[error("{origin}: [[sources]] `{name}`: {why}")]
    Source {
        /// Its name, or its number.
        name: String,
        /// Where it stands.
        origin: Origin,
        /// What is wrong.
        why: String,
    },
    /// Times that contradict each other.
    #[error("[protocol]: {0}")]
    Timing(#[from] protocol::timing::TimingError),
    /// An open door.
    #[error(
        "refusing to listen on {listen} without an API key; set TIPOFF_API_KEY or TIPOFF_API_KEY_FILE, or listen on 127.0.0.1"
    )]
    ExposedWithoutKey {
        /// The address.
        listen: SocketAddr,
    },
    /// A store that a second machine could not share.
    #[error(
        "refusing to listen on {listen} with the embedded state store: a second instance elsewhere would not see its batches; use --state redis://…, or say --single-machine"
    )]
    ExposedWithEmbeddedState {
        /// The address.
        listen: SocketAddr,
    },
}
