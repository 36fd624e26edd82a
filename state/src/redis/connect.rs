//! Reaching the server, and checking that it will keep what it is given.

use std::collections::HashMap;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ErrorKind, RedisError, ServerErrorKind};

use crate::open::OpenOptions;
use crate::url::RedisUrl;
use crate::{Result, StoreError};

/// Longest wait for an opening, whatever the single timeouts.
const OPENING_LIMIT: Duration = Duration::from_secs(8);

/// The oldest server whose scripts check everything before they begin.
const LEAST_VERSION: (u32, u32) = (7, 0);

/// Connects, checks the server, and returns what a person should know about it.
pub(super) async fn connect(
    address: &RedisUrl,
    options: &OpenOptions,
) -> Result<(ConnectionManager, Vec<String>)> {
    let opening = async {
        let client = Client::open(address.with_secret()).map_err(|e| fault(&e, address, options, "open"))?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(options.connect_timeout))
            .set_response_timeout(Some(options.response_timeout))
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(20))
            .set_max_delay(Duration::from_millis(200));
        let mut connection = ConnectionManager::new_with_config(client, config)
            .await
            .map_err(|e| fault(&e, address, options, "connect"))?;
        let notes = check(&mut connection, address, options).await?;
        Ok((connection, notes))
    };
    tokio::time::timeout(OPENING_LIMIT, opening).await.unwrap_or_else(|_| {
        Err(StoreError::Timeout { store: address.to_string(), after_ms: OPENING_LIMIT.as_millis() as u64 })
    })
}

async fn check(
    connection: &mut ConnectionManager,
    address: &RedisUrl,
    options: &OpenOptions,
) -> Result<Vec<String>> {
    let info: String =
        redis::cmd("INFO").query_async(connection).await.map_err(|e| fault(&e, address, options, "INFO"))?;
    // Managed servers may forbid CONFIG; what INFO tells is enough to refuse.
    let save: RedisResultOf<Vec<String>> =
        redis::cmd("CONFIG").arg("GET").arg("save").query_async(connection).await;
    let save = save.ok().and_then(|pair| pair.into_iter().nth(1));
    judge(&parse_info(&info), save.as_deref()).map_err(|why| StoreError::Refused(format!("{address} {why}")))
}

type RedisResultOf<T> = std::result::Result<T, RedisError>;

fn parse_info(info: &str) -> HashMap<&str, &str> {
    info.lines().filter_map(|line| line.trim_end().split_once(':')).collect()
}

/// Refuses a server that would lose an open batch by itself; notes what it may lose in an accident.
fn judge(info: &HashMap<&str, &str>, save: Option<&str>) -> std::result::Result<Vec<String>, String> {
    let field = |name: &str| info.get(name).copied().unwrap_or("");
    let mut version = field("redis_version").split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (version.next().unwrap_or(0), version.next().unwrap_or(0));
    if version < LEAST_VERSION {
        let known = field("redis_version");
        return Err(format!("is version {known}: use Redis or Valkey 7.0 or newer"));
    }
    if field("cluster_enabled") == "1" {
        return Err("is a cluster, which is not supported yet: use a standalone server".to_owned());
    }
    if !["", "master"].contains(&field("role")) {
        return Err("is a replica: name its master".to_owned());
    }
    let policy = field("maxmemory_policy");
    if !["", "noeviction"].contains(&policy) {
        return Err(format!(
            "evicts keys when memory is short (maxmemory-policy {policy}) and would lose open batches: \
             set maxmemory-policy to noeviction"
        ));
    }
    let mut notes = Vec::new();
    let (aof, rdb) = (field("aof_enabled") == "1", save.is_none_or(|save| !save.is_empty()));
    if !aof && !rdb {
        notes.push(
            "Redis keeps nothing on disk: a restart loses every open batch; set appendonly yes".to_owned(),
        );
    } else if !aof {
        notes.push(
            "Redis saves snapshots only: a crash loses what open batches did since the last one; set appendonly yes"
                .to_owned(),
        );
    }
    Ok(notes)
}

/// Answers that mean: later, perhaps. The server refused before it did anything.
const LATER: [&str; 7] = ["OOM", "LOADING", "BUSY", "READONLY", "MASTERDOWN", "MISCONF", "NOREPLICAS"];

/// Answers that a person has to mend.
const MEND: [&str; 4] = ["NOAUTH", "WRONGPASS", "NOPERM", "DENIED"];

/// What the client said, in the words of [`StoreError`]. Server texts never hold the password; URLs are left out.
pub(super) fn fault(
    error: &RedisError,
    address: &RedisUrl,
    options: &OpenOptions,
    call: &'static str,
) -> StoreError {
    let store = address.to_string();
    let code = error.code().unwrap_or_default();
    let cause = match (code, error.detail()) {
        ("", None) => error.category().to_owned(),
        ("", Some(detail)) => detail.to_owned(),
        (code, detail) => format!("{code} {}", detail.unwrap_or_default()).trim_end().to_owned(),
    };
    if MEND.contains(&code) || error.kind() == ErrorKind::AuthenticationFailed {
        return StoreError::Refused(format!(
            "{store} refuses this user or password ({code}): check the state URL"
        ));
    }
    if error.is_timeout() {
        return StoreError::Timeout { store, after_ms: options.response_timeout.as_millis() as u64 };
    }
    if LATER.contains(&code) || matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ReadOnly)) {
        return StoreError::Unreachable { store, cause, maybe_applied: false };
    }
    if error.is_io_error() || error.is_connection_dropped() {
        let cause = error.detail().map_or_else(|| error.to_string(), str::to_owned);
        return StoreError::Unreachable { store, cause, maybe_applied: !error.is_connection_refusal() };
    }
    if error.kind() == ErrorKind::InvalidClientConfig {
        return StoreError::Refused(format!(
            "{store} is not an address that can be used: check the state URL"
        ));
    }
    StoreError::Failed { store, call, cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_would_lose_batches_are_refused() {
        let good = "redis_version:7.0.15\r\nrole:master\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n";
        assert_eq!(judge(&parse_info(good), Some("")), Ok(Vec::new()));
        for (wrong, part) in [
            (good.replace("7.0.15", "6.2.14"), "7.0 or newer"),
            (good.replace("noeviction", "allkeys-lru"), "set maxmemory-policy to noeviction"),
            (good.replace("role:master", "role:slave"), "name its master"),
            (format!("{good}cluster_enabled:1\r\n"), "standalone"),
        ] {
            let refused = judge(&parse_info(&wrong), Some("")).expect_err("it would lose batches");
            assert!(refused.contains(part), "{refused}");
        }
        for (save, part) in [(Some(""), "nothing on disk"), (Some("3600 1"), "snapshots only")] {
            let notes = judge(&parse_info(&good.replace("aof_enabled:1", "aof_enabled:0")), save);
            assert!(notes.expect("it works")[0].contains(part));
        }
    }
}
