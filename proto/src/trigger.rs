//! Messages from outside that something of a slate has changed: CloudEvents 1.0, read strictly.
//!
//! The predecessor's messages were untyped: two spellings of one field stopped an export for a day (incident 46), and
//! a trigger by clock ran before its inputs were there (55, 73). Here a message names what happened and to which slate,
//! and nothing else; a missing, unknown or repeated field refuses it, so does an age above the limit. Who is affected
//! is never taken from a message: it is found by comparing inputs, so a message too many costs nothing.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use crate::BatchId;

/// Longest id or source of a message, in characters.
const MAX_NAME: usize = 256;

/// How far a sender's clock may be ahead of ours.
const MAX_AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// What happened to a slate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TriggerKind {
    /// Its features were built.
    FeaturesReady,
    /// Quotes came in.
    LinesUpdated,
    /// A player's availability changed.
    InjuryChanged,
    /// A game was moved, postponed or cancelled.
    ScheduleChanged,
    /// What its open batch has shall be published now.
    Consolidate,
    /// The watcher saw players whose inputs differ; not a message from outside.
    InputsChanged,
}

impl TriggerKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::FeaturesReady,
        Self::LinesUpdated,
        Self::InjuryChanged,
        Self::ScheduleChanged,
        Self::Consolidate,
        Self::InputsChanged,
    ];

    /// Stable name: the stage of the run that the message is.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FeaturesReady => "features_ready",
            Self::LinesUpdated => "lines_updated",
            Self::InjuryChanged => "injury_changed",
            Self::ScheduleChanged => "schedule_changed",
            Self::Consolidate => "consolidate",
            Self::InputsChanged => "inputs_changed",
        }
    }

    /// The CloudEvents `type`, with its version; none for what is no message from outside.
    pub const fn event_type(self) -> Option<&'static str> {
        match self {
            Self::FeaturesReady => Some("tipoff.features.ready.v1"),
            Self::LinesUpdated => Some("tipoff.lines.updated.v1"),
            Self::InjuryChanged => Some("tipoff.injury.changed.v1"),
            Self::ScheduleChanged => Some("tipoff.schedule.changed.v1"),
            Self::Consolidate => Some("tipoff.consolidate.requested.v1"),
            Self::InputsChanged => None,
        }
    }

    /// The kind of a stage, if it is one.
    pub fn of_stage(stage: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == stage)
    }

    fn of_event_type(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.event_type() == Some(text))
    }
}

/// A message that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// What happened.
    pub kind: TriggerKind,
    /// The sender's id of the message; a repeat has the same.
    pub id: String,
    /// Who says so.
    pub source: String,
    /// When it happened.
    pub time: Timestamp,
    /// The slate.
    pub game_date: Date,
}

/// Why a message was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TriggerRefusal {
    /// It is not JSON.
    #[error("the message is not JSON: {0}")]
    Malformed(String),
    /// A field is missing, unknown, repeated or wrong.
    #[error("{detail}")]
    Invalid {
        /// The field, where one can be named.
        field: Option<String>,
        /// What is wrong and what would be right.
        detail: String,
    },
    /// It is older than messages may be.
    #[error("the message is {age_seconds} s old, the limit is {limit_seconds} s: send what holds now")]
    Expired {
        /// Its age.
        age_seconds: i64,
        /// The limit.
        limit_seconds: i64,
    },
}

impl TriggerRefusal {
    fn field(field: &str, detail: String) -> Self {
        Self::Invalid { field: Some(field.to_owned()), detail }
    }

    /// The field that is at fault, where one can be named.
    pub fn field_at_fault(&self) -> Option<&str> {
        match self {
            Self::Malformed(_) => None,
            Self::Invalid { field, .. } => field.as_deref(),
            Self::Expired { .. } => Some("time"),
        }
    }
}

/// Answer to an accepted message.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TriggerAccepted {
    /// `accepted`; `marked` when the slate has an open batch, whose successor takes it up; `known` for a repeat.
    pub status: String,
    /// Name of the run that the message became.
    pub run_id: String,
    /// The slate's date.
    pub game_date: Date,
    /// The open batch of a marked slate.
    pub batch_id: Option<BatchId>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    specversion: String,
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    time: Timestamp,
    #[serde(default, rename = "subject")]
    _subject: Option<String>,
    #[serde(default)]
    datacontenttype: Option<String>,
    data: Data,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    game_date: Date,
}

impl Trigger {
    /// Reads a message as of now; `limit` is the greatest age.
    pub fn read(body: &[u8], now: Timestamp, limit: SignedDuration) -> Result<Self, TriggerRefusal> {
        let envelope: Envelope = serde_json::from_slice(body).map_err(refusal)?;
        let Some(kind) = TriggerKind::of_event_type(&envelope.kind) else {
            let known: Vec<_> = TriggerKind::ALL.into_iter().filter_map(TriggerKind::event_type).collect();
            let detail =
                format!("`type` is `{}`, expected one of {}", short(&envelope.kind), known.join(", "));
            return Err(TriggerRefusal::field("type", detail));
        };
        if envelope.specversion != "1.0" {
            let detail = format!("`specversion` is `{}`, expected 1.0", short(&envelope.specversion));
            return Err(TriggerRefusal::field("specversion", detail));
        }
        if envelope.datacontenttype.as_deref().is_some_and(|kind| kind != "application/json") {
            let detail = "`datacontenttype` must be application/json".to_owned();
            return Err(TriggerRefusal::field("datacontenttype", detail));
        }
        for (field, text) in [("id", &envelope.id), ("source", &envelope.source)] {
            let length = text.chars().count();
            if !(1..=MAX_NAME).contains(&length) || text.chars().any(char::is_control) {
                let detail = format!("`{field}` must have 1 to {MAX_NAME} visible characters");
                return Err(TriggerRefusal::field(field, detail));
            }
        }
        let age = now.duration_since(envelope.time);
        if age > limit {
            let (age_seconds, limit_seconds) = (age.as_secs(), limit.as_secs());
            return Err(TriggerRefusal::Expired { age_seconds, limit_seconds });
        }
        if -age > MAX_AHEAD {
            let detail = format!("`time` is {} s in the future: check the sender's clock", -age.as_secs());
            return Err(TriggerRefusal::field("time", detail));
        }
        let Envelope { id, source, time, data, .. } = envelope;
        Ok(Self { kind, id, source, time, game_date: data.game_date })
    }

    /// Name of the run that the message becomes: the same for a repeat.
    pub fn run_id(&self) -> String {
        format!("{}/{}/{}", self.kind.as_str(), self.source, self.id)
    }
}

fn refusal(error: serde_json::Error) -> TriggerRefusal {
    let text = error.to_string();
    if !error.is_data() {
        return TriggerRefusal::Malformed(text);
    }
    // "unknown field `x`, expected …", "missing field `x`", "duplicate field `x`"
    let named = ["unknown field `", "missing field `", "duplicate field `"]
        .iter()
        .find_map(|start| text.strip_prefix(start)?.split('`').next());
    TriggerRefusal::Invalid { field: named.map(str::to_owned), detail: text }
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    const NOW: &str = "2026-01-23T20:00:00Z";

    fn read(body: &str) -> Result<Trigger, TriggerRefusal> {
        Trigger::read(body.as_bytes(), NOW.parse().unwrap(), SignedDuration::from_hours(1))
    }

    fn message(edit: impl FnOnce(&mut serde_json::Value)) -> String {
        let mut body = serde_json::json!({
            "specversion": "1.0", "id": "7", "source": "scraper", "type": "tipoff.lines.updated.v1",
            "time": "2026-01-23T19:30:00Z", "data": {"game_date": "2026-01-23"}
        });
        edit(&mut body);
        body.to_string()
    }

    #[test]
    fn each_type_is_read_and_names_its_run() {
        for kind in TriggerKind::ALL {
            assert_eq!(TriggerKind::of_stage(kind.as_str()), Some(kind));
            let Some(event_type) = kind.event_type() else { continue };
            let read = read(&message(|m| m["type"] = event_type.into())).unwrap();
            assert_eq!(read.kind, kind);
            assert_eq!(read.run_id(), format!("{}/scraper/7", kind.as_str()));
            assert_eq!(read.game_date.to_string(), "2026-01-23");
        }
    }

    #[test]
    fn incident_46_a_missing_unknown_or_wrong_field_refuses_the_message_and_is_named() {
        let without = |field: &'static str| {
            message(|m| {
                m.as_object_mut().unwrap().remove(field);
            })
        };
        for (body, field) in [
            (without("id"), "id"),
            (without("source"), "source"),
            (without("type"), "type"),
            (without("time"), "time"),
            (without("data"), "data"),
            (without("specversion"), "specversion"),
            (message(|m| m["data"] = serde_json::json!({})), "game_date"),
            (message(|m| m["data"]["gamedate"] = "2026-01-23".into()), "gamedate"),
            (message(|m| m["traceparent"] = "00-1".into()), "traceparent"),
            (message(|m| m["type"] = "tipoff.lines.updated.v2".into()), "type"),
            (message(|m| m["type"] = "tipoff.batch.ended.v1".into()), "type"),
            (message(|m| m["specversion"] = "0.3".into()), "specversion"),
            (message(|m| m["datacontenttype"] = "text/xml".into()), "datacontenttype"),
            (message(|m| m["id"] = "".into()), "id"),
            (message(|m| m["source"] = "a\nb".into()), "source"),
            (message(|m| m["time"] = "2026-01-23T20:06:00Z".into()), "time"),
            (message(|_| ()).replacen('{', r#"{"id":"8","#, 1), "id"),
        ] {
            let refusal = read(&body).unwrap_err();
            assert_eq!(refusal.field_at_fault(), Some(field), "{body}: {refusal}");
        }
    }

    #[test]
    fn what_is_too_old_or_no_json_is_refused_as_that() {
        let old = read(&message(|m| m["time"] = "2026-01-23T18:59:59Z".into())).unwrap_err();
        assert_eq!(old, TriggerRefusal::Expired { age_seconds: 3601, limit_seconds: 3600 });
        assert!(read(&message(|m| m["time"] = "2026-01-23T19:00:00Z".into())).is_ok(), "the limit itself");
        for body in ["", "{", "null x", "{}{}"] {
            let refusal = read(body).unwrap_err();
            assert!(!matches!(refusal, TriggerRefusal::Expired { .. }), "{body}: {refusal}");
        }
        assert!(matches!(read("{").unwrap_err(), TriggerRefusal::Malformed(_)));
    }

    #[test]
    fn the_schemas_name_the_fields_that_are_read() {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../schemas/trigger.v1.json")).unwrap();
        let names = |value: &serde_json::Value| {
            value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>()
        };
        let full = message(|m| {
            m["subject"] = "nba/2026-01-23".into();
            m["datacontenttype"] = "application/json".into();
        });
        assert!(read(&full).is_ok());
        let full: serde_json::Value = serde_json::from_str(&full).unwrap();
        assert_eq!(names(&schema["properties"]), names(&full));
        for required in schema["required"].as_array().unwrap() {
            let body = message(|m| {
                m.as_object_mut().unwrap().remove(required.as_str().unwrap());
            });
            assert!(read(&body).is_err(), "{required} is required");
        }
        let types: Vec<_> = TriggerKind::ALL.into_iter().filter_map(TriggerKind::event_type).collect();
        assert_eq!(schema["properties"]["type"]["enum"], serde_json::json!(types));
    }
}
