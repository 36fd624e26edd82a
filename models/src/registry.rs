//! The models this process serves.
//!
//! A registry is made in one go, from the embedded zoo and a folder of the operator's, and never changes: a reload makes
//! another one. Whoever holds an `Arc` of a registry, as an open batch does, reaches every model it pinned.
//!
//! One model's trouble is its own. A card that does not parse, a file that is missing or wrong, a reference that fails:
//! refused with a sentence, listed, and the rest serve. What replaces a zoo model and is refused leaves the name empty,
//! because an old model under a new name would be worse than none.
//!
//! Roles are the cards', and over them the operator's own ([`Roles`]). A file of roles that cannot be read makes nobody
//! champion: every model goes on predicting and none is marked as the one to act on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proto::{Market, ModelPin, Role, SystemId};

use crate::card::{Card, CardError, EngineName, MAX_CARD_BYTES};
use crate::model::Model;
use crate::native::MAX_MODEL_BYTES;
use crate::roles::{MAX_ROLES_BYTES, ROLES_FILE, Roles};
use crate::zoo;

type ModelId = (SystemId, Market);

/// The models that passed, and those that did not.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    models: Vec<Arc<Model>>,
    disabled: Vec<Card>,
    refused: Vec<RefusedModel>,
}

/// A model that is not served, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedModel {
    /// The card's file, `zoo/NAME` for an embedded one.
    pub origin: String,
    /// Its system, where that much could be read.
    pub system_id: Option<SystemId>,
    /// Its market, where that much could be read.
    pub market: Option<Market>,
    /// A sentence.
    pub reason: String,
}

impl Registry {
    /// The embedded models alone.
    pub fn zoo() -> Registry {
        Registry::load(None)
    }

    /// The embedded models and the cards (`*.toml`) of a folder; a card with the id of an embedded model replaces it. The
    /// folder's `roles.toml` has the last word on roles.
    pub fn load(models_dir: Option<&Path>) -> Registry {
        let mut registry = Registry::default();
        let roles = match models_dir.map(Registry::read_roles).transpose() {
            Ok(roles) => Some(roles.unwrap_or_default()),
            Err(reason) => {
                let reason = format!("{reason}; until it is mended no model is champion");
                let origin = ROLES_FILE.to_owned();
                registry.refused.push(RefusedModel { origin, system_id: None, market: None, reason });
                None
            }
        };
        registry.take_in(models_dir, roles.as_ref());
        registry
    }

    /// The same with other roles than the folder's: what it would be like.
    pub fn load_with(models_dir: Option<&Path>, roles: &Roles) -> Registry {
        let mut registry = Registry::default();
        registry.take_in(models_dir, Some(roles));
        registry
    }

    /// The roles of a folder; none written is no error, what cannot be read is a sentence.
    pub fn read_roles(models_dir: &Path) -> Result<Roles, String> {
        let bytes = match read_at_most(&models_dir.join(ROLES_FILE), MAX_ROLES_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Roles::default()),
            Err(error) => return Err(format!("the roles cannot be read ({error}): check who may read them")),
        };
        if bytes.len() > MAX_ROLES_BYTES {
            return Err(format!("the roles have more than {MAX_ROLES_BYTES} bytes"));
        }
        let text = String::from_utf8(bytes).map_err(|_| "the roles are not UTF-8 text".to_owned())?;
        Roles::parse(&text).map_err(|error| error.to_string())
    }

    /// Cards of zoo and folder under these roles; no roles: nobody is champion.
    fn take_in(&mut self, models_dir: Option<&Path>, roles: Option<&Roles>) {
        let candidates = self.candidates(models_dir);
        self.refuse_unknown(roles, &candidates);
        for mut candidate in candidates.into_values() {
            candidate.take_role(roles);
            self.admit(candidate);
        }
        self.settle_champions();
    }

    /// Somebody whom the roles name and no card describes is said, not forgotten: a typing mistake must not pass for a
    /// decision.
    fn refuse_unknown(&mut self, roles: Option<&Roles>, candidates: &BTreeMap<ModelId, Candidate>) {
        for (market, system) in roles.into_iter().flat_map(Roles::named) {
            if !candidates.contains_key(&(system.clone(), market.clone())) {
                self.refused.push(RefusedModel {
                    origin: ROLES_FILE.to_owned(),
                    system_id: Some(system.clone()),
                    market: Some(market.clone()),
                    reason: format!("it names {system} for {market}, which no card describes"),
                });
            }
        }
    }

    /// Of the same cards those that `engine` can run, run by it whatever they say; for comparing engines, not for serving.
    pub fn load_on(models_dir: Option<&Path>, engine: EngineName) -> Registry {
        let mut registry = Registry::default();
        for mut candidate in registry.candidates(models_dir).into_values() {
            // Nothing said of a card that cannot be read: the registry that serves says it.
            let card = candidate.card.as_ref().ok().cloned();
            if let Some(card) = card.and_then(|card| card.on(engine).ok()) {
                candidate.card = Ok(card);
                registry.admit(candidate);
            }
        }
        registry
    }

    /// One model of the same cards, run by `engine` whatever its card says; none when no card has the name.
    pub fn load_one_on(
        models_dir: Option<&Path>,
        system_id: &SystemId,
        market: &Market,
        engine: EngineName,
    ) -> Option<Result<Model, String>> {
        let id = (system_id.clone(), market.clone());
        let candidate = Registry::default().candidates(models_dir).remove(&id)?;
        let card = candidate.card.clone().and_then(|card| card.on(engine).map_err(|error| error.to_string()));
        Some(card.and_then(|card| candidate.load(card)))
    }

    /// Every card there is under its name, before anything is loaded; what has no name is refused.
    fn candidates(&mut self, models_dir: Option<&Path>) -> BTreeMap<ModelId, Candidate> {
        let mut candidates: BTreeMap<ModelId, Candidate> = BTreeMap::new();
        for candidate in zoo::ENTRIES.iter().map(Candidate::embedded) {
            self.consider(candidate, &mut candidates);
        }
        for candidate in models_dir.map(|folder| self.read_folder(folder)).unwrap_or_default() {
            self.consider(candidate, &mut candidates);
        }
        candidates
    }

    /// A registry of models that were loaded one by one, under the same rules: one model per system and market, one champion
    /// per market.
    pub fn from_models(models: impl IntoIterator<Item = Model>) -> Registry {
        let mut registry = Registry::default();
        for model in models {
            if registry.by_system(&model.pin.system_id, &model.pin.market).is_some() {
                let reason = "another model names the same system and market: keep one of the two".to_owned();
                registry.refused.push(RefusedModel::of(&model.card, "card".to_owned(), reason));
            } else {
                registry.models.push(Arc::new(model));
            }
        }
        registry.settle_champions();
        registry
    }

    /// The same registry without the models that read a feature `is_known` does not know: a model whose columns do not
    /// exist must not be enabled (incidents 75, 81).
    #[must_use]
    pub fn checked_against(mut self, is_known: impl Fn(&str) -> bool) -> Registry {
        let refused = &mut self.refused;
        self.models.retain(|model| {
            let Some(name) = model.card.features.iter().find(|name| !is_known(name)) else { return true };
            let reason = format!("it reads the feature {name}, which the feature contract does not have");
            refused.push(RefusedModel::of(&model.card, "card".to_owned(), reason));
            false
        });
        self
    }

    /// The models that are served, by system and market.
    pub fn models(&self) -> &[Arc<Model>] {
        &self.models
    }

    /// Cards whose role is disabled; their files are not read.
    pub fn disabled(&self) -> &[Card] {
        &self.disabled
    }

    /// The models that are not served, each with its reason.
    pub fn refused(&self) -> &[RefusedModel] {
        &self.refused
    }

    /// What a batch pins: one for each model, in the order of [`Registry::models`].
    pub fn pins(&self) -> Vec<ModelPin> {
        self.models.iter().map(|model| model.pin.clone()).collect()
    }

    /// The model of a system for a market.
    pub fn by_system(&self, system_id: &SystemId, market: &Market) -> Option<&Arc<Model>> {
        self.models.iter().find(|model| model.pin.system_id == *system_id && model.pin.market == *market)
    }

    /// Exactly the model that was pinned.
    pub fn by_pin(&self, pin: &ModelPin) -> Option<&Arc<Model>> {
        self.models.iter().find(|model| model.pin == *pin)
    }

    /// The champion of a market, if it has one.
    pub fn champion(&self, market: &Market) -> Option<&Arc<Model>> {
        self.models.iter().find(|model| model.card.role == Role::Champion && model.pin.market == *market)
    }

    /// Takes a candidate in under its id, over the embedded one if there is one.
    fn consider(&mut self, candidate: Candidate, candidates: &mut BTreeMap<ModelId, Candidate>) {
        let Some(id) = candidate.id.clone() else {
            self.refused.push(candidate.refusal(candidate.card.as_ref().err().cloned().unwrap_or_default()));
            return;
        };
        match candidates.get(&id) {
            Some(earlier) if !earlier.is_embedded => {
                let reason =
                    format!("{} names the same system and market: keep one of the two", earlier.origin);
                self.refused.push(candidate.refusal(reason));
            }
            Some(_) | None => drop(candidates.insert(id, candidate)),
        }
    }

    /// Loads a candidate, or writes down why not.
    fn admit(&mut self, candidate: Candidate) {
        let card = match &candidate.card {
            Ok(card) => card.clone(),
            Err(reason) => return self.refused.push(candidate.refusal(reason.clone())),
        };
        if card.role == Role::Disabled {
            return self.disabled.push(card);
        }
        match candidate.load(card) {
            Ok(model) => self.models.push(Arc::new(model)),
            Err(reason) => {
                tracing::warn!(model.origin = %candidate.origin, "refused model `{}`: {reason}", candidate.origin);
                self.refused.push(candidate.refusal(reason));
            }
        }
    }

    /// One champion per market: the operator's own comes before the embedded one, which goes on as a shadow; a second one of
    /// the operator's is refused rather than chosen among.
    fn settle_champions(&mut self) {
        let mut taken: BTreeMap<Market, (SystemId, bool)> = BTreeMap::new();
        // The operator's first, else by name.
        self.models
            .sort_by_key(|model| (model.is_embedded, model.pin.system_id.clone(), model.pin.market.clone()));
        let mut kept = Vec::with_capacity(self.models.len());
        for mut model in std::mem::take(&mut self.models) {
            if model.card.role == Role::Champion {
                match taken.get(&model.pin.market) {
                    None => {
                        drop(taken.insert(
                            model.pin.market.clone(),
                            (model.pin.system_id.clone(), model.is_embedded),
                        ))
                    }
                    Some((_, false)) if model.is_embedded => {
                        Arc::make_mut(&mut model).card.role = Role::Shadow
                    }
                    Some((champion, _)) => {
                        let market = &model.pin.market;
                        let reason = format!(
                            "{champion} is the champion for {market} already: make one of the two a shadow"
                        );
                        self.refused.push(RefusedModel::of(&model.card, "card".to_owned(), reason));
                        continue;
                    }
                }
            }
            kept.push(model);
        }
        kept.sort_by_key(|model| (model.pin.system_id.clone(), model.pin.market.clone()));
        self.models = kept;
    }

    /// The cards of a folder by name; a folder or a card that cannot be read is a refusal, not an end.
    fn read_folder(&mut self, folder: &Path) -> Vec<Candidate> {
        let mut refuse = |origin: String, error: std::io::Error| {
            let reason = format!("cannot be read ({error}): check the path and who may read it");
            self.refused.push(RefusedModel { origin, system_id: None, market: None, reason });
        };
        let entries = match std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
            Ok(entries) => entries,
            Err(error) => {
                refuse("models folder".to_owned(), error);
                return Vec::new();
            }
        };
        let mut names: Vec<_> = entries.into_iter().map(|entry| entry.file_name()).collect();
        names.retain(|name| is_card(Path::new(name)));
        names.sort();
        let mut candidates = Vec::new();
        for name in names {
            let origin = name.to_string_lossy().into_owned();
            match read_at_most(&folder.join(&name), MAX_CARD_BYTES) {
                Ok(bytes) => candidates.push(Candidate::from_folder(origin, &bytes, folder)),
                Err(error) => refuse(origin, error),
            }
        }
        candidates
    }
}

impl RefusedModel {
    fn of(card: &Card, origin: String, reason: String) -> RefusedModel {
        RefusedModel {
            origin,
            system_id: Some(card.system_id.clone()),
            market: Some(card.market.clone()),
            reason,
        }
    }
}

/// True for the name of a card: any TOML file but the roles.
pub fn is_card(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml")
        && path.file_name().is_some_and(|name| name != ROLES_FILE)
}

/// A card that might become a model.
struct Candidate {
    origin: String,
    is_embedded: bool,
    /// Known even for some cards that are refused, so that they still replace what they mean to replace.
    id: Option<ModelId>,
    card: Result<Card, String>,
    file: FileSource,
}

/// Where the model file of a candidate is.
enum FileSource {
    Embedded(Option<(&'static str, &'static [u8])>),
    Folder(PathBuf),
}

impl Candidate {
    fn embedded(entry: &zoo::Entry) -> Candidate {
        Candidate::new(format!("zoo/{}", entry.name), true, entry.card, FileSource::Embedded(entry.file))
    }

    fn from_folder(origin: String, bytes: &[u8], folder: &Path) -> Candidate {
        let file = FileSource::Folder(folder.to_owned());
        match std::str::from_utf8(bytes) {
            Ok(text) => Candidate::new(origin, false, text, file),
            Err(_) => Candidate {
                origin,
                is_embedded: false,
                id: None,
                card: Err("the card is not UTF-8 text".to_owned()),
                file,
            },
        }
    }

    fn new(origin: String, is_embedded: bool, text: &str, file: FileSource) -> Candidate {
        let parsed = Card::parse(text);
        let id = match &parsed {
            Ok(card) => Some((card.system_id.clone(), card.market.clone())),
            Err(_) => Card::id_of(text),
        };
        Candidate {
            origin,
            is_embedded,
            id,
            card: parsed.map_err(|error: CardError| error.to_string()),
            file,
        }
    }

    /// Gives the card the operator's role; without any word of his nobody is champion.
    fn take_role(&mut self, roles: Option<&Roles>) {
        let Ok(card) = &mut self.card else { return };
        card.role = match (roles, card.role) {
            (Some(roles), of_card) => roles.role_of(&card.system_id, &card.market, of_card),
            (None, Role::Champion) => Role::Shadow,
            (None, of_card) => of_card,
        };
    }

    /// The model of its card, or of one made from it.
    fn load(&self, card: Card) -> Result<Model, String> {
        let bytes = self.file.read(card.file().map(|file| file.name.as_str()))?;
        let mut model = Model::load(card, bytes.as_deref()).map_err(|error| error.to_string())?;
        model.is_embedded = self.is_embedded;
        Ok(model)
    }

    fn refusal(&self, reason: String) -> RefusedModel {
        let (system_id, market) = self.id.clone().unzip();
        RefusedModel { origin: self.origin.clone(), system_id, market, reason }
    }
}

impl FileSource {
    /// The bytes of the file a card names; none if it names none or there is none.
    fn read(&self, name: Option<&str>) -> Result<Option<Vec<u8>>, String> {
        let Some(name) = name else { return Ok(None) };
        match self {
            FileSource::Embedded(file) => {
                Ok(file.filter(|(embedded, _)| *embedded == name).map(|(_, bytes)| bytes.to_vec()))
            }
            FileSource::Folder(folder) => match read_at_most(&folder.join(name), MAX_MODEL_BYTES) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(format!("the model file `{name}` cannot be read ({error})")),
            },
        }
    }
}

/// A file's bytes, one more than `limit` at most: enough for whoever checks the size to see that it is too large.
fn read_at_most(path: &Path, limit: usize) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    if !std::fs::metadata(path)?.is_file() {
        // A pipe would keep the reader waiting for ever.
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is not a file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
