//! Any HTTP source of JSON or CSV, described in the configuration: where it is, how often to ask, what its fields are.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::de::IgnoredAny;

use super::error::SourceError;
use super::http::{Http, Miss, Patience, by_status};
use super::mapping::{Format, Mapping};
use super::{Account, Ask, Now, Plan, Poll, Reading, Reply, Secret, Source, end_of_day, repeated};
use crate::error::Result;

/// A source as the configuration describes it.
#[derive(Debug, Clone)]
pub struct FeedConfig {
    /// Its name.
    pub name: String,
    /// Its address, whole.
    pub url: String,
    /// Form of its answers.
    pub format: Format,
    /// How its fields become columns; none: the answers are in a form that ingest knows.
    pub mapping: Option<Mapping>,
    /// How often it is asked.
    pub every: SignedDuration,
    /// Header that carries the key, and the key.
    pub key: Option<(String, Secret)>,
    /// Deadlines and retries.
    pub patience: Patience,
}

/// Such a source.
#[derive(Debug)]
pub struct Feed {
    config: FeedConfig,
    http: Http,
}

impl Feed {
    /// Makes the client; nothing is asked yet.
    pub fn new(config: FeedConfig) -> Result<Self> {
        let header = config.key.as_ref().map(|(name, key)| (name.as_str(), key.reveal()));
        let headers: Vec<(&str, &str)> = header.into_iter().collect();
        let http = Http::new(&config.url, config.key.is_some(), &headers, config.patience)?;
        Ok(Self { config, http })
    }
}

#[async_trait::async_trait]
impl Source for Feed {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn plan(&self, now: Now<'_>) -> Plan {
        let ask = Ask::Everything { date: proto::league_time::league_date(now.at) };
        let polls = repeated(ask, self.config.every, now, end_of_day(now.at), "everything it has");
        Plan { polls, ..Plan::default() }
    }

    fn plan_date(&self, date: Date, now: Now<'_>) -> Plan {
        let about = "everything it has, whatever its date".to_owned();
        let poll = Poll { at: now.at, ask: Ask::Everything { date }, cost: 0, about };
        Plan { polls: vec![poll], ..Plan::default() }
    }

    async fn ask(&self, _ask: &Ask, _account: &Account) -> Reply {
        let answer = self.http.get(&[], &[], |answer| by_status(answer.status, "none".to_owned())).await;
        let body = match answer {
            Err(Miss { error: SourceError::EventGone, .. }) => {
                // Nothing is at this address: for a whole source that is no passing matter.
                return Reply::failed(SourceError::Refused { status: 404, token: "none".to_owned() });
            }
            Err(Miss { error, .. }) => return Reply::failed(error),
            Ok(answer) if answer.body.is_empty() => return Reply::default(),
            Ok(answer) => answer.body,
        };
        let is_data = match self.config.format {
            Format::Json => serde_json::from_slice::<IgnoredAny>(&body).is_ok(),
            Format::Csv => !body.trim_ascii_start().starts_with(b"<"),
        };
        let failed = (!is_data).then(|| SourceError::NotData { expected: self.extension().to_uppercase() });
        Reply { bodies: vec![body], failed, ..Reply::default() }
    }

    fn read(&self, body: &[u8], _account: &Account, seen_at: Timestamp) -> Reading {
        match &self.config.mapping {
            Some(mapping) => mapping.read(body, &self.config.name, seen_at),
            None => Reading::AsItIs,
        }
    }

    fn extension(&self) -> &'static str {
        match self.config.format {
            Format::Json => "json",
            Format::Csv => "csv",
        }
    }

    fn fresh_within(&self) -> Option<SignedDuration> {
        Some(SignedDuration::from_mins(60).max(self.config.every * 2))
    }
}
