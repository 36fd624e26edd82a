//! Opening a store: the one place that knows all three.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use protocol::Millis;

use crate::{BatchStore, MemoryStore, RedisStore, Result, SqliteStore, StateUrl};

/// Whose clock an operation goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clock {
    /// The store's own: the server's on Redis; elsewhere the caller passes the time it got from
    /// [`BatchStore::now`].
    #[default]
    Store,
    /// What the caller passes, on every store: for tests.
    Passed,
}

/// How to open a store.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Whose clock it goes by.
    pub clock: Clock,
    /// Longest wait for one answer of a server.
    pub response_timeout: Duration,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// What the keys of a server begin with, so that several may share it.
    pub prefix: String,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            clock: Clock::Store,
            response_timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(2),
            prefix: "tipoff".to_owned(),
        }
    }
}

/// Opens the store that a URL names, within 10 s. A store that cannot work is refused in one sentence.
pub async fn open(url: &StateUrl, options: OpenOptions) -> Result<Arc<dyn BatchStore>> {
    let store: Arc<dyn BatchStore> = match url {
        StateUrl::Memory => Arc::new(MemoryStore::new()),
        StateUrl::Sqlite(path) => Arc::new(SqliteStore::open(path).await?),
        StateUrl::Redis(address) => Arc::new(RedisStore::open(address, options).await?),
    };
    for note in store.notes() {
        tracing::warn!(store = %url, "{note}");
    }
    #[cfg(feature = "crash-points")]
    let store: Arc<dyn BatchStore> = Arc::new(crate::crash::CrashingStore::new(store));
    Ok(store)
}

/// The system's clock, for stores that have none of their own.
pub(crate) fn system_millis() -> Millis {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as Millis)
}
