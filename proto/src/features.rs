//! Features by name, each with its source and a bit that says whether it is a default.
//!
//! Values are never read by position without a contract (incident 84: a signal read a shot share as a pace),
//! and a legitimate zero is never mistaken for "missing" (71): missing is NaN with its own source.

use crate::text::named_enum;

named_enum! {
    /// Where a feature value comes from. The weights are domain.md 6.1's.
    FeatureSource, "feature source" {
        /// Box scores and team games.
        Facts = "facts",
        /// Derived at build from other values.
        Calculated = "calculated",
        /// Betting lines.
        Odds = "odds",
        /// Games against this opponent.
        OpponentHistory = "opponent_history",
        /// The contract's default, because the input is missing.
        Default = "default",
        /// Optional and not available.
        Missing = "missing",
    }
}

/// One feature value.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct Feature {
    /// The value; NaN when missing.
    pub value: f64,
    /// Where it comes from.
    pub source: FeatureSource,
    /// True when the value is the contract's default, whatever the source says.
    pub defaulted: bool,
}

impl Feature {
    /// A value that was computed from real inputs.
    pub fn real(value: f64, source: FeatureSource) -> Self {
        Self { value, source, defaulted: false }
    }

    /// The contract's default in place of a required input that is missing.
    pub fn default_of(value: f64) -> Self {
        Self { value, source: FeatureSource::Default, defaulted: true }
    }

    /// An optional input that is not there: NaN, never a default.
    pub fn missing() -> Self {
        Self { value: f64::NAN, source: FeatureSource::Missing, defaulted: false }
    }
}

impl PartialEq for Feature {
    /// Bitwise on the value, so that NaN equals itself.
    fn eq(&self, other: &Self) -> bool {
        self.value.to_bits() == other.value.to_bits()
            && self.source == other.source
            && self.defaulted == other.defaulted
    }
}

/// The features of one player for one game, in the order of the contract they were built for.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FeatureVector {
    /// Version of the contract that gives names to the positions.
    pub contract_version: String,
    /// One entry for each feature of the contract, in its order.
    pub features: Vec<Feature>,
}

named_enum! {
    /// The five groups whose quality is averaged apart (domain.md 6.1).
    FeatureCategory, "feature category" {
        /// Player against this opponent's defence.
        Matchup = "matchup",
        /// The player's own past.
        PlayerHistory = "player_history",
        /// The team.
        TeamContext = "team_context",
        /// The market's line.
        Vegas = "vegas",
        /// Rest, place, injuries, totals.
        GameContext = "game_context",
    }
}

named_enum! {
    /// Over what a feature can differ at all: a night of three games has six values of a team's pace, whoever plays.
    FeatureGrain, "feature grain" {
        /// Each player has his own.
        Player = "player",
        /// Team-mates share it.
        Team = "team",
        /// Both teams share it.
        Game = "game",
    }
}

/// One feature of a contract.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureSpec {
    /// Index in the field's numbering (domain.md 6); stable for ever.
    pub index: u16,
    /// Name, by which models ask for it.
    pub name: String,
    /// Quality group.
    pub category: FeatureCategory,
    /// Value used when a required input is missing; none for features that are then NaN.
    pub default: Option<f64>,
    /// Smallest plausible value.
    pub min: f64,
    /// Largest plausible value.
    pub max: f64,
    /// True: a system that reads it is refused when it is defaulted. False: it enters as NaN.
    pub required: bool,
    /// False: it does not weigh in the quality scores.
    #[serde(default = "weighs")]
    pub quality: bool,
    /// Over what it can differ.
    pub grain: FeatureGrain,
    /// Smallest plausible standard deviation over the rows of a build.
    #[serde(default)]
    pub std_floor: Option<f64>,
    /// True for what may rightly be the same for everybody a whole night long.
    #[serde(default)]
    pub may_be_constant: bool,
    /// What it is, with formula and unit.
    pub meaning: String,
}

const fn weighs() -> bool {
    true
}

impl FeatureSpec {
    /// True for a value that can be believed: finite and within the range.
    pub fn is_plausible(&self, value: f64) -> bool {
        (self.min..=self.max).contains(&value)
    }
}

/// A feature of the field that no source allows, with the reason: said, never imitated.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbsentFeature {
    /// Index in the field's numbering.
    pub index: u16,
    /// Its name there.
    pub name: String,
    /// What it would need.
    pub why: String,
}

/// A versioned list of features: the one source of truth about names, order, defaults and ranges.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureContract {
    /// Version, part of every stored row.
    pub version: String,
    /// The features in order.
    pub features: Vec<FeatureSpec>,
    /// Features of the field that the data does not allow.
    #[serde(default)]
    pub absent: Vec<AbsentFeature>,
}

impl FeatureContract {
    /// Position of a feature in this contract.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.features.iter().position(|spec| spec.name == name)
    }
}
