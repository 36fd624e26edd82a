//! The resolved configuration as people read it: key, value, who set it. Secrets are `(set)`, passwords in
//! addresses are stars.

use serde::Serialize;

use super::layers::{Layers, Origin, plain};
use super::settings::{Kind, SETTINGS, Setting};
use super::{Config, PoolSize};

/// One line of `tipoff config show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownSetting {
    /// `section.key`.
    pub key: &'static str,
    /// The value that counts; `(unset)` or `(set)` where there is none to show.
    pub value: String,
    /// Who set it.
    pub origin: String,
    /// Its name in the environment.
    pub environment: String,
}

pub(crate) fn shown(layers: &Layers, config: &Config) -> Vec<ShownSetting> {
    SETTINGS
        .iter()
        .map(|setting| {
            let (value, origin) = value_and_origin(setting, layers, config);
            ShownSetting {
                key: setting.key,
                value,
                origin: origin.to_string(),
                environment: setting.env_name(),
            }
        })
        .collect()
}

fn value_and_origin(setting: &Setting, layers: &Layers, config: &Config) -> (String, Origin) {
    match (layers.value(setting.key), layers.origin(setting.key)) {
        (Some(value), Some(origin)) => {
            let text = match (setting.key, setting.kind) {
                // Written by their own types, which leave passwords out.
                ("state", _) => config.state.to_string(),
                ("warehouse", _) => config.warehouse.to_string(),
                (_, Kind::Secret) => "(set)".to_owned(),
                _ => without_password(&plain(value)),
            };
            (text, origin.clone())
        }
        _ => derived(setting.key, config),
    }
}

fn derived(key: &str, config: &Config) -> (String, Origin) {
    let timing = &config.timing;
    let lease = Origin::Derived("protocol.lease_ms");
    match key {
        "state" => (config.state.to_string(), Origin::Derived("dir")),
        "warehouse" => (config.warehouse.to_string(), Origin::Derived("dir")),
        "protocol.renew_ms" => (timing.renew_ms.to_string(), lease),
        "protocol.job_deadline_ms" => (timing.job_deadline_ms.to_string(), lease),
        "protocol.finalizer_lease_ms" => (timing.finalizer_lease_ms.to_string(), lease),
        "workers.size" => match config.workers {
            PoolSize::Fixed(n) => (n.to_string(), Origin::Derived("the processors of this machine")),
            PoolSize::Auto { min, max } => {
                (format!("auto, {min} to {max}"), Origin::Derived("workers.min and workers.max"))
            }
        },
        _ => ("(unset)".to_owned(), Origin::Default),
    }
}

/// An address without the password in it.
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let authority_end = rest.find('/').unwrap_or(rest.len());
    let Some(at) = rest[..authority_end].rfind('@') else { return url.to_owned() };
    let user = rest[..at].split(':').next().unwrap_or_default();
    format!("{scheme}://{user}:***@{}", &rest[at + 1..])
}
