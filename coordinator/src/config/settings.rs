//! The settings there are: key, type, and the name each has in the environment. Everything that lists, reads,
//! refuses or shows a setting goes through this table, so none can be forgotten in one of those places.

use toml::Value;

/// What a setting's value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A text.
    Text,
    /// A text that is never shown.
    Secret,
    /// A whole number, not negative.
    Whole,
    /// A number.
    Number,
    /// `true` or `false`.
    Flag,
    /// A list of texts; comma-separated in the environment.
    Texts,
    /// A list of whole numbers, none negative; comma-separated in the environment.
    Wholes,
}

impl Kind {
    /// What a value of this kind is called in an error.
    pub(crate) const fn expected(self) -> &'static str {
        match self {
            Self::Text | Self::Secret => "a text",
            Self::Whole => "a whole number that is not negative",
            Self::Number => "a number",
            Self::Flag => "true or false",
            Self::Texts => "a list of texts (in the environment: separated by commas)",
            Self::Wholes => "a list of whole numbers (in the environment: separated by commas)",
        }
    }

    /// True when a TOML value is of this kind.
    pub(crate) fn fits(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text | Self::Secret, Value::String(_)) | (Self::Flag, Value::Boolean(_)) => true,
            (Self::Whole, Value::Integer(n)) => *n >= 0,
            (Self::Number, Value::Integer(_)) => true,
            (Self::Number, Value::Float(x)) => x.is_finite(),
            (Self::Texts, Value::Array(items)) => items.iter().all(Value::is_str),
            (Self::Wholes, Value::Array(items)) => items.iter().all(|item| Self::Whole.fits(item)),
            _ => false,
        }
    }

    /// Reads a value from the text of an environment variable; none when the text is not of this kind.
    pub(crate) fn read(self, text: &str) -> Option<Value> {
        let value = match self {
            Self::Text | Self::Secret => Value::String(text.to_owned()),
            Self::Whole => Value::Integer(text.replace('_', "").parse().ok()?),
            Self::Number => Value::Float(text.parse().ok()?),
            Self::Flag => Value::Boolean(text.parse().ok()?),
            Self::Texts => Value::Array(items(text).map(|t| Value::String(t.to_owned())).collect()),
            Self::Wholes => Value::Array(items(text).map(|t| Self::Whole.read(t)).collect::<Option<_>>()?),
        };
        self.fits(&value).then_some(value)
    }
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// `section.key`, or `key` at the top.
    pub(crate) key: &'static str,
    /// Its type.
    pub(crate) kind: Kind,
    /// Its fixed name in the environment, where that does not follow from the key.
    env: Option<&'static str>,
}

impl Setting {
    /// Its name in the environment: the fixed one, else `TIPOFF_SECTION_KEY`.
    pub(crate) fn env_name(&self) -> String {
        match self.env {
            Some(name) => name.to_owned(),
            None => format!("TIPOFF_{}", self.key.replace('.', "_").to_uppercase()),
        }
    }
}

const fn setting(key: &'static str, kind: Kind) -> Setting {
    Setting { key, kind, env: None }
}

const fn named(key: &'static str, kind: Kind, env: &'static str) -> Setting {
    Setting { key, kind, env: Some(env) }
}

/// The one setting that no file holds: a clock that is forgotten in a file would be everybody's.
pub(crate) const WORLD_CLOCK: &str = "world_clock";

/// Every setting, in the order of `default.toml`.
pub(crate) const SETTINGS: &[Setting] = &[
    setting("dir", Kind::Text),
    setting("state", Kind::Text),
    setting("warehouse", Kind::Text),
    setting("models", Kind::Text),
    setting(WORLD_CLOCK, Kind::Text),
    setting("protocol.lease_ms", Kind::Whole),
    setting("protocol.renew_ms", Kind::Whole),
    setting("protocol.job_deadline_ms", Kind::Whole),
    setting("protocol.sweep_ms", Kind::Whole),
    setting("protocol.finalizer_lease_ms", Kind::Whole),
    setting("protocol.finish_by_seconds", Kind::Whole),
    setting("protocol.min_coverage", Kind::Number),
    setting("protocol.min_minutes", Kind::Number),
    setting("protocol.max_attempts", Kind::Whole),
    setting("events.watch_seconds", Kind::Whole),
    setting("events.limit_seconds", Kind::Whole),
    named("server.listen", Kind::Text, "TIPOFF_LISTEN"),
    named("server.api_key", Kind::Secret, "TIPOFF_API_KEY"),
    named("server.api_key_file", Kind::Text, "TIPOFF_API_KEY_FILE"),
    setting("server.single_machine", Kind::Flag),
    setting("server.max_connections", Kind::Whole),
    setting("server.request_timeout_seconds", Kind::Whole),
    setting("server.header_timeout_seconds", Kind::Whole),
    setting("server.body_limit_bytes", Kind::Whole),
    named("client.server", Kind::Text, "TIPOFF_SERVER"),
    setting("client.timeout_seconds", Kind::Whole),
    setting("workers.size", Kind::Whole),
    setting("workers.min", Kind::Whole),
    setting("workers.max", Kind::Whole),
    setting("engines.onnxruntime", Kind::Text),
    setting("books.rank", Kind::Texts),
    setting("books.exclude", Kind::Texts),
    setting("books.not_in_consensus", Kind::Texts),
    setting("inputs.injuries_hours", Kind::Whole),
    setting("inputs.roster_days", Kind::Whole),
    setting("odds_api.base_url", Kind::Text),
    named("odds_api.api_key", Kind::Secret, "TIPOFF_ODDS_API_KEY"),
    named("odds_api.api_key_file", Kind::Text, "TIPOFF_ODDS_API_KEY_FILE"),
    setting("odds_api.markets", Kind::Texts),
    setting("odds_api.regions", Kind::Texts),
    setting("odds_api.bookmakers", Kind::Texts),
    setting("odds_api.credits_per_day", Kind::Whole),
    setting("odds_api.credits_keep", Kind::Whole),
    setting("odds_api.concurrency", Kind::Whole),
    setting("odds_api.window_minutes", Kind::Whole),
    setting("odds_api.shortest_minutes", Kind::Whole),
    setting("odds_api.longest_minutes", Kind::Whole),
    setting("odds_api.events_minutes", Kind::Whole),
    setting("odds_api.past_minutes_before_tip", Kind::Wholes),
    setting("odds_api.deadline_seconds", Kind::Whole),
    setting("bettingpros.base_url", Kind::Text),
    named("bettingpros.api_key", Kind::Secret, "TIPOFF_BETTINGPROS_KEY"),
    named("bettingpros.api_key_file", Kind::Text, "TIPOFF_BETTINGPROS_KEY_FILE"),
    setting("bettingpros.markets", Kind::Texts),
    setting("bettingpros.every_minutes", Kind::Whole),
    setting("bettingpros.deadline_seconds", Kind::Whole),
    named("log.filter", Kind::Text, "TIPOFF_LOG"),
    setting("log.format", Kind::Text),
];

/// The setting of a key.
pub(crate) fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|s| s.key == key)
}

/// The candidate that looks most like `text`, if one is close enough to be a slip of the pen.
pub(crate) fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(text, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 6)
        .map(|(_, candidate)| candidate)
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn environment_names_follow_the_keys_or_are_fixed() {
        for (key, env) in [
            ("protocol.lease_ms", "TIPOFF_PROTOCOL_LEASE_MS"),
            ("dir", "TIPOFF_DIR"),
            ("state", "TIPOFF_STATE"),
            ("warehouse", "TIPOFF_WAREHOUSE"),
            ("models", "TIPOFF_MODELS"),
            ("server.listen", "TIPOFF_LISTEN"),
            ("client.server", "TIPOFF_SERVER"),
            ("log.filter", "TIPOFF_LOG"),
            ("log.format", "TIPOFF_LOG_FORMAT"),
            ("server.api_key", "TIPOFF_API_KEY"),
            ("server.api_key_file", "TIPOFF_API_KEY_FILE"),
            ("workers.size", "TIPOFF_WORKERS_SIZE"),
            ("odds_api.api_key", "TIPOFF_ODDS_API_KEY"),
            ("odds_api.base_url", "TIPOFF_ODDS_API_BASE_URL"),
            ("bettingpros.api_key_file", "TIPOFF_BETTINGPROS_KEY_FILE"),
        ] {
            assert_eq!(find(key).unwrap().env_name(), env);
        }
        let mut names: Vec<_> = SETTINGS.iter().map(Setting::env_name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), SETTINGS.len(), "two settings share a name");
    }

    #[test]
    fn texts_are_read_by_kind() {
        assert_eq!(Kind::Whole.read("1_500"), Some(Value::Integer(1500)));
        assert_eq!(Kind::Number.read("0.5"), Some(Value::Float(0.5)));
        assert_eq!(Kind::Flag.read("true"), Some(Value::Boolean(true)));
        assert_eq!(Kind::Texts.read("a, b,"), Some(Value::Array(vec!["a".into(), "b".into()])));
        for (kind, wrong) in [
            (Kind::Whole, "-1"),
            (Kind::Whole, "1.5"),
            (Kind::Whole, ""),
            (Kind::Number, "NaN"),
            (Kind::Number, "inf"),
            (Kind::Flag, "yes"),
        ] {
            assert_eq!(kind.read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        let keys = || SETTINGS.iter().map(|s| s.key);
        assert_eq!(nearest("protocol.leasems", keys()), Some("protocol.lease_ms"));
        assert_eq!(nearest("server.listne", keys()), Some("server.listen"));
        assert_eq!(nearest("colour", keys()), None);
    }
}
