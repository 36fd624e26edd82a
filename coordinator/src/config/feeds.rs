//! Settings of sources: two vendors with sections of their own, and `[[sources]]` for everything else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use pipeline::sources::bettingpros::{self, BettingPros, BettingProsConfig};
use pipeline::sources::credits::CreditLimits;
use pipeline::sources::feed::{Feed, FeedConfig};
use pipeline::sources::folder::{Folder, FolderConfig};
use pipeline::sources::mapping::{Format, Mapping};
use pipeline::sources::odds_api::{self, OddsApi, OddsApiConfig};
use pipeline::sources::plan::Cadence;
use pipeline::sources::{Patience, Secret, Source, check_base};
use serde::Deserialize;

use super::ConfigError;
use super::layers::Layers;
use super::resolve::{positive, refused_secret, seconds, secret};

/// Pause between pages that BettingPros is known to bear.
const PAGE_PAUSE: Duration = Duration::from_millis(2_500);
/// Longest a call of a further source may take, unless it says otherwise.
const DEADLINE_SECONDS: u64 = 30;

/// Every source that is configured.
#[derive(Debug, Clone, Default)]
pub struct FeedsConfig {
    /// The Odds API, when there is a key.
    pub odds_api: Option<OddsApiConfig>,
    /// BettingPros, when there is a key.
    pub bettingpros: Option<BettingProsConfig>,
    /// Addresses of `[[sources]]`.
    pub feeds: Vec<FeedConfig>,
    /// Folders of `[[sources]]`.
    pub folders: Vec<FolderConfig>,
}

impl FeedsConfig {
    /// How many sources of lines are asked: vendors and addresses. A folder may hold anything, and is none.
    pub fn line_sources(&self) -> usize {
        let is_of_lines = |feed: &&FeedConfig| feed.mapping.as_ref().is_some_and(Mapping::is_of_lines);
        usize::from(self.odds_api.is_some())
            + usize::from(self.bettingpros.is_some())
            + self.feeds.iter().filter(is_of_lines).count()
    }

    /// The sources, ready to be asked.
    pub fn build(&self) -> pipeline::Result<Vec<Arc<dyn Source>>> {
        let mut sources: Vec<Arc<dyn Source>> = Vec::new();
        if let Some(config) = &self.odds_api {
            sources.push(Arc::new(OddsApi::new(config.clone())?));
        }
        if let Some(config) = &self.bettingpros {
            sources.push(Arc::new(BettingPros::new(config.clone())?));
        }
        for config in &self.feeds {
            sources.push(Arc::new(Feed::new(config.clone())?));
        }
        for config in &self.folders {
            sources.push(Arc::new(Folder::new(config.clone())));
        }
        Ok(sources)
    }
}

pub(crate) fn feeds(layers: &Layers) -> Result<FeedsConfig, ConfigError> {
    let mut config = FeedsConfig {
        odds_api: odds_api(layers)?,
        bettingpros: bettingpros(layers)?,
        ..FeedsConfig::default()
    };
    let (entries, origin) = layers.sources();
    let mut names: BTreeSet<String> = [odds_api::NAME, bettingpros::NAME].map(str::to_owned).into();
    for (i, entry) in entries.iter().enumerate() {
        let named = entry.get("name").and_then(toml::Value::as_str);
        let name = named.map_or_else(|| format!("number {}", i + 1), str::to_owned);
        let refuse = |why: String| ConfigError::Source { name: name.clone(), origin: origin.clone(), why };
        let raw: RawSource = entry
            .clone()
            .try_into()
            .map_err(|e: toml::de::Error| refuse(e.to_string().trim_end().replace('\n', " ")))?;
        if !is_name(&raw.name) || !names.insert(raw.name.clone()) {
            let why = "a name is 1 to 40 of a-z, 0-9, - and _, and no other source's";
            return Err(refuse(why.to_owned()));
        }
        match raw.resolve().map_err(refuse)? {
            Resolved::Feed(feed) => config.feeds.push(*feed),
            Resolved::Folder(folder) => config.folders.push(folder),
        }
    }
    Ok(config)
}

fn is_name(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    (1..=40).contains(&name.len()) && name.bytes().all(is_plain)
}

fn odds_api(layers: &Layers) -> Result<Option<OddsApiConfig>, ConfigError> {
    let base_url = address(layers, "odds_api.base_url")?;
    let markets = some_texts(layers, "odds_api.markets")?;
    let (shortest, longest) =
        (minutes(layers, "odds_api.shortest_minutes")?, minutes(layers, "odds_api.longest_minutes")?);
    if shortest > longest {
        return Err(layers.refuse("odds_api.shortest_minutes", "it is above odds_api.longest_minutes"));
    }
    let cadence = Cadence {
        window: minutes(layers, "odds_api.window_minutes")?,
        shortest,
        longest,
        ..Cadence::default()
    };
    let (events_every, concurrency) =
        (minutes(layers, "odds_api.events_minutes")?, positive(layers, "odds_api.concurrency")?);
    let past = layers.wholes("odds_api.past_minutes_before_tip");
    if past.is_empty() || !past.iter().all(|minutes| (1..=10_080).contains(minutes)) {
        return Err(layers.refuse("odds_api.past_minutes_before_tip", "name moments of 1 to 10080 minutes"));
    }
    let deadline = Duration::from_secs(seconds(layers, "odds_api.deadline_seconds")?);
    let regions = layers.texts("odds_api.regions");
    let bookmakers = layers.texts("odds_api.bookmakers");
    if regions.is_empty() && bookmakers.is_empty() {
        return Err(layers.refuse("odds_api.regions", "name a region, or bookmakers"));
    }
    let Some(key) = vendor_key(layers, "odds_api.api_key", "odds_api.api_key_file")? else { return Ok(None) };
    Ok(Some(OddsApiConfig {
        base_url,
        key,
        markets,
        regions,
        bookmakers,
        limits: CreditLimits {
            per_day: layers.whole("odds_api.credits_per_day"),
            keep: layers.whole("odds_api.credits_keep").unwrap_or(0),
        },
        concurrency,
        cadence,
        events_every,
        past_minutes_before_tip: past,
        patience: Patience { deadline, ..Patience::default() },
    }))
}

fn bettingpros(layers: &Layers) -> Result<Option<BettingProsConfig>, ConfigError> {
    let base_url = address(layers, "bettingpros.base_url")?;
    let markets = some_texts(layers, "bettingpros.markets")?;
    if let Some(unknown) = markets.iter().find(|market| !BettingPros::knows(market)) {
        return Err(layers.refuse("bettingpros.markets", format!("`{unknown}` is no market of this vendor")));
    }
    let every = minutes(layers, "bettingpros.every_minutes")?;
    let deadline = Duration::from_secs(seconds(layers, "bettingpros.deadline_seconds")?);
    let key = vendor_key(layers, "bettingpros.api_key", "bettingpros.api_key_file")?;
    Ok(key.map(|key| BettingProsConfig {
        base_url,
        key,
        markets,
        every,
        page_pause: PAGE_PAUSE,
        patience: Patience { deadline, ..Patience::default() },
    }))
}

/// A vendor's key: whatever the vendor gives, as long as it can travel.
fn vendor_key(layers: &Layers, key: &'static str, file: &'static str) -> Result<Option<Secret>, ConfigError> {
    let Some((source, text)) = secret(layers, key, file)? else { return Ok(None) };
    if text.is_empty() || !text.chars().all(|c| c.is_ascii_graphic()) {
        let why = "the key must be visible ASCII characters".to_owned();
        return Err(refused_secret(layers, source, why));
    }
    Ok(Some(Secret::new(text)))
}

fn address(layers: &Layers, key: &'static str) -> Result<String, ConfigError> {
    let text = layers.text(key).unwrap_or_default();
    check_base(&text, true).map_err(|why| layers.refuse(key, why))?;
    Ok(text)
}

fn some_texts(layers: &Layers, key: &'static str) -> Result<Vec<String>, ConfigError> {
    let texts = layers.texts(key);
    match texts.is_empty() {
        true => Err(layers.refuse(key, "name at least one")),
        false => Ok(texts),
    }
}

/// Minutes from one to a week.
fn minutes(layers: &Layers, key: &'static str) -> Result<SignedDuration, ConfigError> {
    match layers.whole(key) {
        Some(n) if (1..=10_080).contains(&n) => Ok(SignedDuration::from_mins(n)),
        _ => Err(layers.refuse(key, "expected 1 to 10080 minutes")),
    }
}

/// An entry of `[[sources]]` as people type it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSource {
    name: String,
    path: Option<PathBuf>,
    url: Option<String>,
    format: Option<Format>,
    every_seconds: Option<u32>,
    every_minutes: Option<u32>,
    deadline_seconds: Option<u64>,
    api_key_file: Option<PathBuf>,
    api_key_header: Option<String>,
    #[serde(default)]
    rows: String,
    #[serde(default)]
    fields: BTreeMap<String, String>,
    #[serde(default)]
    constants: BTreeMap<String, String>,
}

enum Resolved {
    Feed(Box<FeedConfig>),
    Folder(FolderConfig),
}

impl RawSource {
    fn resolve(self) -> Result<Resolved, String> {
        let every = match (self.every_seconds, self.every_minutes) {
            (Some(_), Some(_)) => return Err("every_seconds or every_minutes, not both".to_owned()),
            (Some(n @ 1..), None) => Some(SignedDuration::from_secs(i64::from(n))),
            (None, Some(n @ 1..)) => Some(SignedDuration::from_mins(i64::from(n))),
            (None, None) => None,
            _ => return Err("a source is looked at every second at most".to_owned()),
        };
        match (&self.path, &self.url) {
            (Some(_), Some(_)) | (None, None) => Err("name a path or a url".to_owned()),
            (Some(path), None) => {
                if self.format.is_some() || self.api_key_file.is_some() || !self.fields.is_empty() {
                    return Err("format, fields and keys belong to a url".to_owned());
                }
                let every = every.unwrap_or(SignedDuration::from_secs(10));
                Ok(Resolved::Folder(FolderConfig { name: self.name, path: path.clone(), every }))
            }
            (None, Some(url)) => {
                let url = url.clone();
                self.feed(url, every.unwrap_or(SignedDuration::from_mins(15)))
            }
        }
    }

    fn feed(self, url: String, every: SignedDuration) -> Result<Resolved, String> {
        let format = self.format.ok_or("say its format: json or csv")?;
        check_base(&url, self.api_key_file.is_some())?;
        let key = match self.api_key_file {
            None => None,
            Some(path) => {
                let text = std::fs::read_to_string(&path)
                    .map_err(|e| format!("the key in `{}` cannot be read: {e}", path.display()))?;
                let header = self.api_key_header.unwrap_or_else(|| "x-api-key".to_owned());
                Some((header, Secret::new(text.trim())))
            }
        };
        let mapping = match self.fields.is_empty() {
            true if !self.constants.is_empty() || !self.rows.is_empty() => {
                return Err("rows and constants want fields".to_owned());
            }
            true => None,
            false => Some(Mapping::new(format, &self.rows, self.fields, self.constants)?),
        };
        let deadline = Duration::from_secs(self.deadline_seconds.unwrap_or(DEADLINE_SECONDS).clamp(1, 300));
        let patience = Patience { deadline, ..Patience::default() };
        Ok(Resolved::Feed(Box::new(FeedConfig {
            name: self.name,
            url,
            format,
            mapping,
            every,
            key,
            patience,
        })))
    }
}
