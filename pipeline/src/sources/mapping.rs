//! Any list of quotes as a table that ingest knows: columns by name, taken from where the configuration says.
//!
//! Upstream matched columns by position and a table of 58 columns met one of 72 (incident 21). Here each column is
//! named; what the source lacks is an empty cell, which ingest refuses with its reason if it needs it; a name that no
//! table knows is refused when the configuration is read. No entry of the source is dropped without being counted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Reading;
use crate::ingest::recognise;

/// Form of the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JSON, walked by paths.
    Json,
    /// A table with a header.
    Csv,
}

/// Columns that a mapping may fill: those that the tables of odds and injuries read.
const COLUMNS: [&str; 25] = [
    "event_id",
    "commence_time",
    "game_date_et",
    "home_team",
    "away_team",
    "bookmaker",
    "bookmaker_key",
    "market",
    "market_key",
    "player",
    "player_name",
    "line",
    "point",
    "over_price",
    "under_price",
    "side",
    "outcome_name",
    "price",
    "market_last_update",
    "last_update",
    "snapshot_or_update_utc",
    "reported_at",
    "team",
    "status",
    "note",
];

/// When the source was looked at, unless it says so itself.
const SEEN: &str = "snapshot_or_update_utc";
/// Which source it was.
pub(crate) const SOURCE: &str = "data_source";

/// Where the columns of a table stand in a source's answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    format: Format,
    /// Steps to the list of rows: names, and `*` for "each entry".
    rows: Vec<String>,
    /// Column -> path in a row (JSON) or name of a column (CSV).
    fields: BTreeMap<String, String>,
    /// Column -> the same text in every row.
    constants: BTreeMap<String, String>,
}

impl Mapping {
    /// True when the table is one of quotes.
    pub fn is_of_lines(&self) -> bool {
        ["line", "point"].iter().any(|column| self.fields.contains_key(*column))
    }

    /// Reads a mapping; refuses one whose columns make no table.
    pub fn new(
        format: Format,
        rows: &str,
        fields: BTreeMap<String, String>,
        constants: BTreeMap<String, String>,
    ) -> Result<Self, String> {
        for column in fields.keys().chain(constants.keys()) {
            if !COLUMNS.contains(&column.as_str()) {
                return Err(format!(
                    "`{column}` is no column of odds or injuries; known are {}",
                    COLUMNS.join(", ")
                ));
            }
            if fields.contains_key(column) && constants.contains_key(column) {
                return Err(format!("`{column}` is a field and a constant; keep one of them"));
            }
        }
        let rows = rows.split('.').filter(|step| !step.is_empty()).map(str::to_owned).collect();
        let mapping = Self { format, rows, fields, constants };
        let header = mapping.columns().join(",") + "\n";
        recognise(header.as_bytes())
            .map_err(|refusal| format!("the columns make no table that is known: {}", refusal.sentence))?;
        Ok(mapping)
    }

    fn columns(&self) -> Vec<&str> {
        let mut columns: Vec<&str> =
            self.fields.keys().chain(self.constants.keys()).map(String::as_str).collect();
        if !columns.contains(&SEEN) {
            columns.push(SEEN);
        }
        columns.push(SOURCE);
        columns
    }

    /// The table of an answer. An answer that is no list of rows is left to ingest, which says what it is instead.
    pub fn read(&self, body: &[u8], source: &str, seen_at: Timestamp) -> Reading {
        let rows = match self.format {
            Format::Json => self.json_rows(body),
            Format::Csv => self.csv_rows(body),
        };
        let Some(rows) = rows else { return Reading::AsItIs };
        let (seen_at, columns) = (seen_at.to_string(), self.columns());
        let mut table = TableWriter::new(&columns);
        for row in rows {
            table.row(columns.iter().map(|column| match *column {
                SOURCE => source.to_owned(),
                column if column == SEEN && !row.contains_key(column) => seen_at.clone(),
                column => row.get(column).cloned().unwrap_or_default(),
            }));
        }
        Reading::Table { csv: table.finish(), not_used: BTreeMap::new() }
    }

    fn json_rows(&self, body: &[u8]) -> Option<Vec<BTreeMap<&str, String>>> {
        let root: Value = serde_json::from_slice(body).ok()?;
        let mut found = Vec::new();
        let steps: Vec<&str> = self.rows.iter().map(String::as_str).collect();
        let is_list = descend(&root, &steps, &mut Vec::new(), &mut |path| {
            let cell = |path_of: &str| look_up(path, path_of);
            found.push(self.cells(cell));
        });
        is_list.then_some(found)
    }

    fn csv_rows(&self, body: &[u8]) -> Option<Vec<BTreeMap<&str, String>>> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(body);
        let header = reader.byte_headers().ok()?.clone();
        let names: Vec<String> = header
            .iter()
            .map(|name| String::from_utf8_lossy(name).trim().trim_start_matches('\u{feff}').to_owned())
            .collect();
        if !self.fields.values().any(|wanted| names.contains(wanted)) {
            return None;
        }
        let place = |wanted: &str| names.iter().position(|name| name == wanted);
        let mut rows = Vec::new();
        for record in reader.byte_records() {
            // A row that breaks its own format becomes an empty one, and is refused where everybody sees it.
            let record = record.unwrap_or_default();
            let cell = |wanted: &str| {
                let bytes = record.get(place(wanted)?)?;
                Some(String::from_utf8_lossy(bytes).trim().to_owned())
            };
            rows.push(self.cells(cell));
        }
        Some(rows)
    }

    fn cells(&self, cell: impl Fn(&str) -> Option<String>) -> BTreeMap<&str, String> {
        let fields = self.fields.iter().filter_map(|(column, from)| {
            let text = cell(from)?;
            let text = if matches!(column.as_str(), "side" | "outcome_name") { side(text) } else { text };
            Some((column.as_str(), text))
        });
        let constants = self.constants.iter().map(|(column, text)| (column.as_str(), text.clone()));
        fields.chain(constants).collect()
    }
}

/// Walks to every row; false when the way does not lead to one.
fn descend<'v>(
    value: &'v Value,
    steps: &[&str],
    above: &mut Vec<&'v Value>,
    take: &mut impl FnMut(&[&'v Value]),
) -> bool {
    match (steps, value) {
        ([], Value::Array(entries)) => {
            entries.iter().for_each(|entry| {
                above.push(entry);
                take(above);
                above.pop();
            });
            true
        }
        (["*", rest @ ..], Value::Array(entries)) => entries.iter().fold(entries.is_empty(), |any, entry| {
            above.push(entry);
            let found = match rest {
                [] => {
                    take(above);
                    true
                }
                rest => descend(entry, rest, above, take),
            };
            above.pop();
            found || any
        }),
        ([name, rest @ ..], Value::Object(object)) => {
            object.get(*name).is_some_and(|inner| descend(inner, rest, above, take))
        }
        _ => false,
    }
}

/// The text at a path of a row; each `^` goes up to the entry that the row's list stands in.
fn look_up(above: &[&Value], path: &str) -> Option<String> {
    let mut steps = path.split('.').peekable();
    let mut level = above.len().checked_sub(1)?;
    while steps.next_if_eq(&"^").is_some() {
        level = level.checked_sub(1)?;
    }
    let mut value = *above.get(level)?;
    for step in steps {
        value = match value {
            Value::Array(entries) => entries.get(step.parse::<usize>().ok()?)?,
            other => other.get(step)?,
        };
    }
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Sides as sources write them.
pub(crate) fn side(text: String) -> String {
    match text.to_ascii_lowercase().as_str() {
        "over" | "o" => "Over".to_owned(),
        "under" | "u" => "Under".to_owned(),
        _ => text,
    }
}

/// Writes a table that ingest reads line by line: no cell may break a line.
pub(crate) struct TableWriter {
    text: String,
}

impl TableWriter {
    pub(crate) fn new(columns: &[&str]) -> Self {
        let mut writer = Self { text: String::new() };
        writer.row(columns.iter().map(|column| (*column).to_owned()));
        writer
    }

    pub(crate) fn row(&mut self, cells: impl Iterator<Item = String>) {
        for (i, cell) in cells.enumerate() {
            if i > 0 {
                self.text.push(',');
            }
            let plain: String = cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            match plain.contains([',', '"']) {
                true => {
                    self.text.push('"');
                    self.text.push_str(&plain.replace('"', "\"\""));
                    self.text.push('"');
                }
                false => self.text.push_str(&plain),
            }
        }
        self.text.push('\n');
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    const FIELDS: [(&str, &str); 9] = [
        ("event_id", "^.id"),
        ("commence_time", "^.start"),
        ("home_team", "^.teams.0"),
        ("away_team", "^.teams.1"),
        ("market", "kind"),
        ("player", "who"),
        ("line", "at"),
        ("over_price", "odds.over"),
        ("under_price", "odds.under"),
    ];

    fn seen() -> Timestamp {
        "2026-02-18T22:00:00Z".parse().unwrap()
    }

    fn table(reading: Reading) -> String {
        let Reading::Table { csv, .. } = reading else { panic!("{reading:?}") };
        csv
    }

    #[test]
    fn incident_21_columns_are_named_missing_is_empty_and_unknown_is_refused() {
        let mapping =
            Mapping::new(Format::Json, "games.*.props.*", map(&FIELDS), map(&[("bookmaker", "fanduel")]))
                .unwrap();
        let body = r#"{"games":[{"id":7,"start":"2026-02-19T00:10:00Z","teams":["Boston Celtics","Miami Heat"],
            "new_field":{"x":[1]},
            "props":[{"kind":"player_points","who":"A, \"B\"\nJr.","at":21.5,"odds":{"over":1.91,"under":-110}},
                     {"who":null,"odds":[]}]},{"props":[]}]}"#;
        assert_eq!(
            table(mapping.read(body.as_bytes(), "mine", seen())),
            "away_team,commence_time,event_id,home_team,line,market,over_price,player,under_price,bookmaker,snapshot_or_update_utc,data_source\n\
             Miami Heat,2026-02-19T00:10:00Z,7,Boston Celtics,21.5,player_points,1.91,\"A, \"\"B\"\" Jr.\",-110,fanduel,2026-02-18T22:00:00Z,mine\n\
             Miami Heat,2026-02-19T00:10:00Z,7,Boston Celtics,,,,,,fanduel,2026-02-18T22:00:00Z,mine\n"
        );
        let unknown = Mapping::new(Format::Json, "", map(&[("colour", "x")]), map(&[])).unwrap_err();
        assert!(unknown.contains("`colour` is no column"), "{unknown}");
        let too_few = Mapping::new(Format::Json, "", map(&[("player", "x")]), map(&[])).unwrap_err();
        assert!(too_few.contains("make no table"), "{too_few}");
        let both = Mapping::new(Format::Json, "", map(&FIELDS), map(&[("line", "1")])).unwrap_err();
        assert!(both.contains("keep one"), "{both}");
    }

    #[test]
    fn what_is_no_list_of_rows_is_left_to_ingest() {
        let constants = map(&[("bookmaker", "fanduel")]);
        let mapping = Mapping::new(Format::Json, "games.*.props.*", map(&FIELDS), constants).unwrap();
        for body in ["<html>", r#"{"error":"no"}"#, r#"{"games":7}"#, "", "[1]"] {
            assert_eq!(mapping.read(body.as_bytes(), "mine", seen()), Reading::AsItIs, "{body}");
        }
        assert_eq!(table(mapping.read(br#"{"games":[]}"#, "mine", seen())).lines().count(), 1);
    }

    #[test]
    fn tables_are_mapped_by_the_names_of_their_columns() {
        let fields = map(&[
            ("game_date_et", "Date"),
            ("home_team", "Home"),
            ("away_team", "Away"),
            ("bookmaker", "Book"),
            ("market", "Market"),
            ("player", "Player"),
            ("line", "Line"),
            ("side", "Side"),
            ("price", "Odds"),
        ]);
        let mapping = Mapping::new(Format::Csv, "", fields, map(&[])).unwrap();
        let body = "Side,Odds,Home,Away,Book,Market,Player,Line,Date\nOVER,-110,BOS,MIA,fanduel,player_points,A B,21.5,2026-02-18\nu\n";
        assert_eq!(
            table(mapping.read(body.as_bytes(), "mine", seen())),
            "away_team,bookmaker,game_date_et,home_team,line,market,player,price,side,snapshot_or_update_utc,data_source\n\
             MIA,fanduel,2026-02-18,BOS,21.5,player_points,A B,-110,Over,2026-02-18T22:00:00Z,mine\n\
             ,,,,,,,,Under,2026-02-18T22:00:00Z,mine\n"
        );
        assert_eq!(mapping.read(b"<html>\n<p>", "mine", seen()), Reading::AsItIs);
    }
}
