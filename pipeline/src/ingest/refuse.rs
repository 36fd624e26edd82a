//! Refusals: what could not be used, with a stable code, a sentence and the text itself.
//!
//! One bad row rejected a player and one bad team a night (incident 90); here a refusal costs its own row only,
//! is counted, and is kept for a person to look at. Counts are complete; of the texts a bounded number is kept.

use std::collections::BTreeMap;

use jiff::civil::Date;
use proto::Code;
use proto::tables::QuarantineRow;

/// Quarantine rows kept per file and code; further ones are counted only, so that a bad file stays small.
const KEPT_PER_CODE: u64 = 500;
/// Characters kept of a refused text.
const EXCERPT: usize = 500;

/// The whole file is nothing we know.
pub(crate) const FOREIGN: &str = "foreign";
/// The text breaks its own format.
pub(crate) const MALFORMED: &str = "malformed";
/// The file ends before its content does.
pub(crate) const TRUNCATED: &str = "truncated";
/// Larger than what is read.
pub(crate) const TOO_LARGE: &str = "too_large";
/// The file could not be read.
pub(crate) const UNREADABLE: &str = "unreadable";
/// Recognised, and of no use here.
pub(crate) const NOT_USED: &str = "not_used";
/// A field that is needed is empty or absent.
pub(crate) const MISSING_FIELD: &str = "missing_field";
/// A field that is needed has another shape.
pub(crate) const BAD_FIELD: &str = "bad_field";
/// The player did not play: no row, never a zero (incident 78).
pub(crate) const DID_NOT_PLAY: &str = "did_not_play";

/// One name stands for two players, or one player for two teams, and nobody can say which is meant.
pub(crate) const AMBIGUOUS_PLAYER: &str = "ambiguous_player";
/// A team would play two games at once.
pub(crate) const TEAM_TWICE: &str = "team_twice";
/// Something is said to have happened that lies ahead: a clock is wrong, its own or ours.
pub(crate) const CLOCK_AHEAD: &str = "clock_ahead";

/// Why one row, event or file is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) sentence: String,
}

impl Refusal {
    pub(crate) fn new(code: &'static str, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into() }
    }

    /// A refusal by one of the line codes.
    pub(crate) fn of(code: Code, sentence: impl Into<String>) -> Self {
        Self::new(code.as_str(), sentence)
    }

    pub(crate) fn missing(field: &str) -> Self {
        Self::new(MISSING_FIELD, format!("`{field}` is missing"))
    }

    pub(crate) fn bad(field: &str, found: &str, expected: &str) -> Self {
        let found: String = found.chars().take(60).collect();
        Self::new(BAD_FIELD, format!("`{field}` is `{found}`, expected {expected}"))
    }
}

/// Where in a file something stands: a line of a text file or the number of a record, both from one.
pub(crate) type Place = Option<i64>;

/// Counts of one file: `read = new + known + refused`, kept by everybody who takes a row in hand.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    source_file: String,
    pub(crate) read: u64,
    pub(crate) refused: BTreeMap<String, u64>,
    pub(crate) quarantine: Vec<QuarantineRow>,
    kept: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub(crate) fn new(source_file: &str) -> Self {
        Self { source_file: source_file.to_owned(), ..Self::default() }
    }

    pub(crate) fn source_file(&self) -> &str {
        &self.source_file
    }

    /// Adds what another hand counted of the same file.
    pub(crate) fn add(&mut self, other: Self) {
        self.read += other.read;
        for (code, rows) in other.refused {
            *self.refused.entry(code).or_default() += rows;
        }
        self.quarantine.extend(other.quarantine);
    }

    /// Counts `rows` source rows as refused and keeps the text of the first ones.
    pub(crate) fn refuse(
        &mut self,
        place: Place,
        refusal: Refusal,
        excerpt: &str,
        rows: u64,
        date: Option<Date>,
    ) {
        self.count(refusal.code, rows);
        let kept = self.kept.entry(refusal.code).or_default();
        if *kept >= KEPT_PER_CODE {
            return;
        }
        *kept += 1;
        self.quarantine.push(QuarantineRow {
            source_file: self.source_file.clone(),
            line_number: place,
            code: refusal.code.to_owned(),
            sentence: refusal.sentence.chars().filter(|c| !c.is_control()).collect(),
            excerpt: excerpt.chars().filter(|c| !c.is_control()).take(EXCERPT).collect(),
            game_date: date,
        });
    }

    /// Counts without keeping: rows that are expected and of no use.
    pub(crate) fn count(&mut self, code: &str, rows: u64) {
        if rows > 0 {
            *self.refused.entry(code.to_owned()).or_default() += rows;
        }
    }
}
