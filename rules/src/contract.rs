//! The feature contract this build serves, read once from `features.toml`, which is compiled in.

use std::sync::LazyLock;

use proto::features::FeatureContract;

static CONTRACT: LazyLock<FeatureContract> = LazyLock::new(|| {
    toml::from_str(include_str!("../features.toml"))
        .expect("features.toml is compiled in and parsed by a test")
});

/// The contract of this build, version `v2`.
pub fn contract() -> &'static FeatureContract {
    &CONTRACT
}

#[cfg(test)]
mod tests;
