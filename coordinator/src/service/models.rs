//! The models of this instance: what they are, how old, and which were refused and why.

use std::collections::BTreeMap;

use jiff::civil::Date;
use proto::league_time::league_date;
use proto::{Market, Role, SystemId};
use rules::findings::STALE_MODEL_DAYS;

use super::{Service, ServiceError};

/// `GET /models`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Models {
    /// Loaded models, by market and system.
    pub models: Vec<ModelInfo>,
    /// Models whose role is disabled; they are not loaded.
    #[serde(default)]
    pub disabled: Vec<DisabledInfo>,
    /// Models that cannot run, each with a sentence.
    pub refused: Vec<RefusedInfo>,
}

/// A model that nobody asks.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DisabledInfo {
    /// The system.
    pub system_id: SystemId,
    /// Its market.
    pub market: Market,
}

/// One model.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ModelInfo {
    /// The system.
    pub system_id: SystemId,
    /// Its market.
    pub market: Market,
    /// Its role.
    pub role: Role,
    /// The engine that runs it.
    pub engine: String,
    /// Hash by which batches pin it.
    pub sha256: String,
    /// Features it reads.
    pub num_features: usize,
    /// First day of training; null for a formula.
    pub trained_from: Option<Date>,
    /// Last day of training; null for a formula.
    pub trained_until: Option<Date>,
    /// Days from then to today, league time.
    pub age_days: Option<i64>,
    /// True from ten days on.
    pub stale: bool,
    /// Figures of its card, by name.
    pub metrics: BTreeMap<String, f64>,
}

/// A model that cannot run.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RefusedInfo {
    /// The card or file.
    pub name: String,
    /// Why, and what to do.
    pub reason: String,
}

impl Service {
    /// The models as of today.
    pub async fn models(&self) -> Result<Models, ServiceError> {
        Ok(models_of(&self.context.shelf.registry(), league_date(self.context.now())))
    }
}

/// The models of a registry, with their age on a date.
pub fn models_of(registry: &models::Registry, today: Date) -> Models {
    let info = |model: &std::sync::Arc<models::Model>| {
        let card = &model.card;
        let age_days = model.age_days(today);
        ModelInfo {
            system_id: card.system_id.clone(),
            market: card.market.clone(),
            role: card.role,
            engine: card.engine.name().as_str().to_owned(),
            sha256: model.pin.sha256.clone(),
            num_features: card.features.len(),
            trained_from: card.training.map(|window| window.start),
            trained_until: card.training.map(|window| window.end),
            age_days,
            stale: age_days.is_some_and(|days| days >= i64::from(STALE_MODEL_DAYS)),
            metrics: card.metrics.clone(),
        }
    };
    let refused = registry
        .refused()
        .iter()
        .map(|refused| RefusedInfo { name: refused.origin.clone(), reason: refused.reason.clone() });
    let disabled = registry
        .disabled()
        .iter()
        .map(|card| DisabledInfo { system_id: card.system_id.clone(), market: card.market.clone() });
    Models {
        models: registry.models().iter().map(info).collect(),
        disabled: disabled.collect(),
        refused: refused.collect(),
    }
}
