//! Where values come from: built-in page < `tipoff.toml` < environment < flags. A later layer wins, key by key, and
//! each value remembers its layer, so that `doctor` and `config show` can answer "who said that?".

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::ConfigError;
use super::settings::{Kind, SETTINGS, Setting, WORLD_CLOCK, find, nearest};

/// The built-in page: documentation and defaults in one.
pub const DEFAULT_TOML: &str = include_str!("default.toml");

/// Who set a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The page compiled into the binary.
    Default,
    /// A configuration file.
    File(PathBuf),
    /// An environment variable, by name.
    Environment(String),
    /// A flag, by name.
    Flag(&'static str),
    /// Follows from other settings.
    Derived(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Derived(from) => write!(f, "derived from {from}"),
        }
    }
}

/// A value that a flag sets.
#[derive(Debug, Clone)]
pub struct FlagValue {
    /// The setting's key.
    pub key: &'static str,
    /// The flag's name, such as `--listen`.
    pub flag: &'static str,
    /// What it sets.
    pub value: Value,
}

/// What people typed, key by key, with who typed it. Not yet validated: [`super::Config`] is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layers {
    values: BTreeMap<&'static str, (Value, Origin)>,
    /// Entries of `[[sources]]`; a later page replaces them all.
    sources: Option<(Vec<Value>, Origin)>,
}

impl Layers {
    /// The built-in page alone.
    pub(crate) fn built_in() -> Result<Self, ConfigError> {
        let mut layers = Self::default();
        layers.add_toml(DEFAULT_TOML, &Origin::Default)?;
        Ok(layers)
    }

    /// Adds a configuration file.
    pub(crate) fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.to_path_buf(), source };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        self.add_toml(&text, &Origin::File(path.to_path_buf()))
    }

    /// Adds a page of TOML; unknown keys and values of the wrong kind are refused by name.
    pub(crate) fn add_toml(&mut self, text: &str, origin: &Origin) -> Result<(), ConfigError> {
        let table: Table = text.parse().map_err(|e: toml::de::Error| ConfigError::Malformed {
            origin: origin.clone(),
            detail: e.to_string().trim_end().to_owned(),
        })?;
        for (name, value) in table {
            let is_section =
                SETTINGS.iter().any(|s| s.key.split_once('.').is_some_and(|(sec, _)| sec == name));
            match value {
                Value::Array(entries) if name == "sources" => self.sources = Some((entries, origin.clone())),
                Value::Table(section) if is_section => {
                    for (key, value) in section {
                        self.put_toml(format!("{name}.{key}"), value, origin)?;
                    }
                }
                value => self.put_toml(name, value, origin)?,
            }
        }
        Ok(())
    }

    fn put_toml(&mut self, key: String, value: Value, origin: &Origin) -> Result<(), ConfigError> {
        let setting = find(&key).ok_or_else(|| ConfigError::UnknownKey {
            hint: hint(nearest(&key, SETTINGS.iter().map(|s| s.key))),
            key,
            origin: origin.clone(),
        })?;
        if setting.kind == Kind::Secret {
            let variable = setting.env_name();
            return Err(ConfigError::SecretInFile { key: setting.key, variable, origin: origin.clone() });
        }
        if setting.key == WORLD_CLOCK {
            return Err(ConfigError::ClockInFile { variable: setting.env_name(), origin: origin.clone() });
        }
        self.put(setting, value, origin.clone())
    }

    /// Adds the environment. A variable that begins like one of ours but names no setting is refused: a typing
    /// error there would otherwise go unnoticed.
    pub(crate) fn add_environment(
        &mut self,
        vars: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), ConfigError> {
        for (name, text) in vars {
            if let Some(setting) = SETTINGS.iter().find(|s| s.env_name() == name) {
                let origin = Origin::Environment(name);
                let value = setting.kind.read(&text).ok_or_else(|| wrong(setting, &text, &origin))?;
                self.put(setting, value, origin)?;
            } else if looks_like_ours(&name) {
                let names: Vec<String> = SETTINGS.iter().map(Setting::env_name).collect();
                let hint = hint(nearest(&name, names.iter().map(String::as_str)));
                return Err(ConfigError::UnknownVariable { name, hint });
            }
        }
        Ok(())
    }

    /// Adds flags.
    pub(crate) fn add_flags(&mut self, flags: &[FlagValue]) -> Result<(), ConfigError> {
        for FlagValue { key, flag, value } in flags {
            let setting = find(key).ok_or_else(|| ConfigError::UnknownKey {
                key: (*key).to_owned(),
                origin: Origin::Flag(flag),
                hint: String::new(),
            })?;
            self.put(setting, value.clone(), Origin::Flag(flag))?;
        }
        Ok(())
    }

    fn put(&mut self, setting: &'static Setting, value: Value, origin: Origin) -> Result<(), ConfigError> {
        if !setting.kind.fits(&value) {
            return Err(wrong(setting, &value.to_string(), &origin));
        }
        self.values.insert(setting.key, (value, origin));
        Ok(())
    }

    /// Entries of `[[sources]]`, and where they stand.
    pub(crate) fn sources(&self) -> (&[Value], Origin) {
        match &self.sources {
            Some((entries, origin)) => (entries, origin.clone()),
            None => (&[], Origin::Default),
        }
    }

    /// Who set a key; none when nobody did.
    pub(crate) fn origin(&self, key: &str) -> Option<&Origin> {
        self.values.get(key).map(|(_, origin)| origin)
    }

    /// The value of a key; none when nobody set it.
    pub(crate) fn value(&self, key: &str) -> Option<&Value> {
        self.values.get(key).map(|(value, _)| value)
    }

    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.value(key).and_then(Value::as_str).map(str::to_owned)
    }

    pub(crate) fn whole(&self, key: &str) -> Option<i64> {
        self.value(key).and_then(Value::as_integer)
    }

    pub(crate) fn number(&self, key: &str) -> Option<f64> {
        match self.value(key)? {
            Value::Integer(n) => Some(*n as f64),
            Value::Float(x) => Some(*x),
            _ => None,
        }
    }

    pub(crate) fn flag(&self, key: &str) -> bool {
        self.value(key).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(crate) fn texts(&self, key: &str) -> Vec<String> {
        let items = self.value(key).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    pub(crate) fn wholes(&self, key: &str) -> Vec<i64> {
        let items = self.value(key).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(Value::as_integer).collect()
    }

    /// The error for a value that is of the right kind and still cannot be.
    pub(crate) fn refuse(&self, key: &'static str, why: impl Into<String>) -> ConfigError {
        let origin = self.origin(key).cloned().unwrap_or(Origin::Default);
        let found = self.value(key).map(plain).unwrap_or_default();
        ConfigError::Impossible { key, found, origin, why: why.into() }
    }
}

/// A value as people would type it.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn wrong(setting: &'static Setting, found: &str, origin: &Origin) -> ConfigError {
    let found = if setting.kind == Kind::Secret { "(secret)".to_owned() } else { found.to_owned() };
    ConfigError::WrongKind {
        key: setting.key,
        found,
        origin: origin.clone(),
        expected: setting.kind.expected(),
    }
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map(|n| format!("did you mean `{n}`? ")).unwrap_or_default()
}

/// True for `TIPOFF_SECTION` and `TIPOFF_SECTION_…` of a section there is; other TIPOFF_ names are left alone.
fn looks_like_ours(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("TIPOFF_") else { return false };
    let rest = rest.to_lowercase();
    let is_of =
        |section: &str| rest.strip_prefix(section).is_some_and(|key| key.is_empty() || key.starts_with('_'));
    SETTINGS.iter().any(|s| s.key.split_once('.').is_some_and(|(section, _)| is_of(section)))
}
