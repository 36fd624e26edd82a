//! The models this process can answer with, across reloads.
//!
//! A batch pins its models when it is opened; a reload must not take them away (and an answer must never come from
//! another model than the pinned one, incidents 80 and 82). So a reload puts the new registry beside the models that
//! are still pinned, and a chunk is predicted with exactly the set its batch names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use models::{Model, Registry, Target};
use proto::features::FeatureContract;
use proto::{Market, ModelPin, SystemId};
use rules::gate::SystemNeeds;

/// One model with what the gates and the matrix need to know about it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) model: Arc<Model>,
    /// Places in the contract of the model's features, in the model's order.
    pub(crate) positions: Vec<usize>,
}

/// The models of one batch: at most one for each system and market.
#[derive(Debug, Clone, Default)]
pub struct ModelSet {
    entries: Vec<Entry>,
    needs: Vec<SystemNeeds>,
}

impl ModelSet {
    fn of<'a>(models: impl Iterator<Item = &'a Entry>) -> Self {
        let entries: Vec<Entry> = models.cloned().collect();
        let needs = entries.iter().map(needs_of).collect();
        Self { entries, needs }
    }

    /// Every model of a registry whose features the contract has.
    pub fn of_registry(registry: &Registry, contract: &FeatureContract) -> Self {
        let entries: Vec<Entry> =
            registry.models().iter().filter_map(|model| entry_of(model, contract)).collect();
        Self::of(entries.iter())
    }

    /// What each system needs of a job, for the gates.
    pub fn needs(&self) -> &[SystemNeeds] {
        &self.needs
    }

    /// Exactly which models these are.
    pub fn pins(&self) -> impl Iterator<Item = &ModelPin> {
        self.entries.iter().map(|entry| &entry.model.pin)
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

fn needs_of(entry: &Entry) -> SystemNeeds {
    SystemNeeds {
        system_id: entry.model.pin.system_id.clone(),
        market: entry.model.pin.market.clone(),
        features: entry.positions.clone(),
        target_needs_line: entry.model.card.target == Target::MarginOverLine,
    }
}

fn entry_of(model: &Arc<Model>, contract: &FeatureContract) -> Option<Entry> {
    let positions = model.card.features.iter().map(|name| contract.position(name)).collect::<Option<_>>()?;
    Some(Entry { model: model.clone(), positions })
}

/// What stands on the shelf at one instant; never changes.
#[derive(Debug, Default)]
pub struct Stock {
    registry: Arc<Registry>,
    by_pin: BTreeMap<ModelPin, Entry>,
    serves: Vec<ModelPin>,
    /// The only possible set, unless a system is there in two versions.
    only_set: Option<Arc<ModelSet>>,
}

impl Stock {
    fn new(registry: Arc<Registry>, by_pin: BTreeMap<ModelPin, Entry>) -> Self {
        let ids: BTreeSet<(&SystemId, &Market)> =
            by_pin.keys().map(|pin| (&pin.system_id, &pin.market)).collect();
        let is_unique = ids.len() == by_pin.len();
        let only_set = is_unique.then(|| Arc::new(ModelSet::of(by_pin.values())));
        let serves = by_pin.keys().cloned().collect();
        Self { registry, by_pin, serves, only_set }
    }

    /// What a claim names, sorted.
    pub fn serves(&self) -> &[ModelPin] {
        &self.serves
    }

    /// The set of a batch when there is no choice: a claim is only granted to a worker that has every pinned model, so
    /// with one version of each they are the pinned ones.
    pub fn only_set(&self) -> Option<Arc<ModelSet>> {
        self.only_set.clone()
    }

    /// The set of a batch by its pins. A pinned model that is not here is left out, and its rows say so.
    pub fn set_for(&self, pins: &[ModelPin]) -> Arc<ModelSet> {
        Arc::new(ModelSet::of(pins.iter().filter_map(|pin| self.by_pin.get(pin))))
    }
}

/// The shelf: read by every worker at each claim, changed by a reload.
#[derive(Debug)]
pub struct ModelShelf {
    contract: &'static FeatureContract,
    stock: ArcSwap<Stock>,
}

impl ModelShelf {
    /// A shelf with the models of one registry. Those that read a feature the contract does not have are refused, so
    /// that no batch can pin what no worker can run: pin the batch to [`ModelShelf::registry`].
    pub fn new(registry: Registry, contract: &'static FeatureContract) -> Self {
        let shelf = Self { contract, stock: ArcSwap::default() };
        shelf.install(registry);
        shelf
    }

    /// Makes another registry the current one. What was there stays until [`ModelShelf::keep_only`] says otherwise.
    pub fn install(&self, registry: Registry) {
        let registry = Arc::new(registry.checked_against(|name| self.contract.position(name).is_some()));
        self.stock.rcu(|old| {
            let mut by_pin = old.by_pin.clone();
            let new = registry.models().iter().filter_map(|model| entry_of(model, self.contract));
            by_pin.extend(new.map(|entry| (entry.model.pin.clone(), entry)));
            Stock::new(registry.clone(), by_pin)
        });
    }

    /// Forgets what is neither in the current registry nor pinned by an open batch.
    pub fn keep_only(&self, pinned: &BTreeSet<ModelPin>) {
        self.stock.rcu(|old| {
            let current: BTreeSet<ModelPin> = old.registry.pins().into_iter().collect();
            let mut by_pin = old.by_pin.clone();
            by_pin.retain(|pin, _| current.contains(pin) || pinned.contains(pin));
            Stock::new(old.registry.clone(), by_pin)
        });
    }

    /// The current registry: what new batches pin.
    pub fn registry(&self) -> Arc<Registry> {
        self.stock.load().registry.clone()
    }

    /// What is there now. A claim and the prediction of its chunk use the same stock.
    pub fn stock(&self) -> Arc<Stock> {
        self.stock.load_full()
    }
}
