//! Where the state lives, as written in a flag, a variable or a file.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A parsed store URL. Neither its `Debug` nor its `Display` form shows a password.
#[derive(Clone, PartialEq, Eq)]
pub enum StateUrl {
    /// `sqlite:PATH`: one file on a local disk.
    Sqlite(PathBuf),
    /// `redis://[user[:password]@]host[:port][/db]`.
    Redis(RedisUrl),
    /// `memory:`: for tests and simulations; gone with the process.
    Memory,
}

/// A Redis address whose password only the client sees.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    full: String,
    shown: String,
}

impl RedisUrl {
    /// The URL with its password: for the client only.
    pub(crate) fn with_secret(&self) -> &str {
        &self.full
    }
}

/// A URL that names no store. It never repeats the text, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateUrlError {
    /// Another scheme.
    #[error("state store `{scheme}…` is not known: write sqlite:PATH, redis://HOST:PORT or memory:")]
    Scheme {
        /// What stood before the first colon, at most 16 characters.
        scheme: String,
    },
    /// `sqlite:` alone.
    #[error("state store `sqlite:` names no file: write sqlite:PATH, e.g. sqlite:tipoff-data/state.db")]
    NoPath,
    /// `redis://` with something that is no host, port or database.
    #[error("state store `redis://…` is malformed ({why}): write redis://[user:password@]host[:port][/db]")]
    Redis {
        /// Which part.
        why: &'static str,
    },
    /// Encrypted connections are not built in.
    #[error(
        "state store `rediss://…` needs TLS, which this build lacks: use redis:// inside a private network or a tunnel"
    )]
    Tls,
}

impl FromStr for StateUrl {
    type Err = StateUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text == "memory:" || text == "memory" {
            return Ok(Self::Memory);
        }
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() { Err(StateUrlError::NoPath) } else { Ok(Self::Sqlite(path.into())) };
        }
        if let Some(rest) = text.strip_prefix("redis://") {
            return parse_redis(text, rest).map(Self::Redis);
        }
        if text.starts_with("rediss:") {
            return Err(StateUrlError::Tls);
        }
        // Only what precedes a colon is shown, and only if it looks like a scheme: the rest may be a secret.
        let scheme = text.split(':').next().filter(|s| s.len() < text.len()).unwrap_or("");
        let shown = scheme.chars().take(16).filter(|c| c.is_ascii_alphanumeric() || *c == '+').collect();
        Err(StateUrlError::Scheme { scheme: shown })
    }
}

fn parse_redis(full: &str, rest: &str) -> Result<RedisUrl, StateUrlError> {
    let malformed = |why| StateUrlError::Redis { why };
    let (secret, address) = match rest.rsplit_once('@') {
        Some((_, address)) => (true, address),
        None => (false, rest),
    };
    let (host_port, db) = address.split_once('/').unwrap_or((address, ""));
    let db = if db.is_empty() { "0" } else { db };
    if db.parse::<u16>().is_err() {
        return Err(malformed("the database is not a number"));
    }
    let (host, port) = match host_port.rsplit_once(':') {
        // An IPv6 address ends in a bracket when no port follows.
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (host_port, "6379"),
    };
    if host.is_empty() || host.contains(char::is_whitespace) {
        return Err(malformed("the host is missing"));
    }
    let port: u16 = port.parse().map_err(|_| malformed("the port is not a number up to 65535"))?;
    let mask = if secret { "***@" } else { "" };
    Ok(RedisUrl { full: full.to_owned(), shown: format!("redis://{mask}{host}:{port}/{db}") })
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.shown)
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Display for StateUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Redis(url) => write!(f, "{url}"),
            Self::Memory => f.write_str("memory:"),
        }
    }
}

impl fmt::Debug for StateUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn urls_read_back_without_their_secrets() {
        for (text, shown) in [
            ("memory:", "memory:"),
            ("sqlite:state.db", "sqlite:state.db"),
            ("sqlite:///var/lib/state.db", "sqlite:/var/lib/state.db"),
            ("sqlite:/var/lib/state.db", "sqlite:/var/lib/state.db"),
            ("redis://localhost", "redis://localhost:6379/0"),
            ("redis://h:7000/3", "redis://h:7000/3"),
            ("redis://[::1]:7000", "redis://[::1]:7000/0"),
            ("redis://[::1]", "redis://[::1]:6379/0"),
            ("redis://user:canary-key@h:7000", "redis://***@h:7000/0"),
            ("redis://:canary@key@h", "redis://***@h:6379/0"),
        ] {
            let url: StateUrl = text.parse().unwrap();
            assert_eq!((url.to_string(), format!("{url:?}")), (shown.to_owned(), shown.to_owned()));
        }
    }

    #[test]
    fn wrong_urls_are_refused_in_one_sentence_without_secrets() {
        for (text, part) in [
            ("postgres://u:canary@h/db", "`postgres…` is not known"),
            ("canary", "is not known"),
            ("", "is not known"),
            ("sqlite:", "names no file"),
            ("redis://", "the host is missing"),
            ("redis://:canary@", "the host is missing"),
            ("redis://h:canary", "the port"),
            ("redis://h/canary", "the database"),
            ("rediss://u:canary@h", "needs TLS"),
        ] {
            let error = text.parse::<StateUrl>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
            assert!(!error.contains("canary") && !error.contains('\n'), "{error}");
        }
    }
}
