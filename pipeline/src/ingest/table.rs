//! Tables as rows of named fields: a header once, then rows that are used or refused one by one.

use std::io::{self, BufRead, BufReader, Read};
use std::str::FromStr;

use csv::StringRecord;
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use proto::league_time::league_date;
use proto::{Code, Line, Market, PlayerName, Price};

use super::refuse::{BAD_FIELD, MALFORMED, Refusal, TRUNCATED};
use super::source::{Source, is_bomb};

/// The names in a table's first line, trimmed, without a byte order mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header(Vec<String>);

impl Header {
    pub(crate) fn of(record: &StringRecord) -> Self {
        Self(record.iter().map(|name| name.trim().trim_start_matches('\u{feff}').to_owned()).collect())
    }

    /// True when every one of the names is there.
    pub(crate) fn has_all(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.find(name).is_some())
    }

    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|n| n == name)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// A column by name and, if the table has it, by position.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    name: &'static str,
    at: Option<usize>,
}

impl Column {
    pub(crate) fn of(header: &Header, name: &'static str) -> Self {
        Self { name, at: header.find(name) }
    }
}

/// Resolves the columns of a table once: `columns!(header; date, home_team)` is a struct with one field each.
macro_rules! columns {
    ($vis:vis struct $name:ident { $($field:ident = $text:literal),+ $(,)? }) => {
        #[derive(Debug, Clone, Copy)]
        $vis struct $name { $(pub(crate) $field: $crate::ingest::table::Column),+ }
        impl $name {
            $vis fn of(header: &$crate::ingest::table::Header) -> Self {
                Self { $($field: $crate::ingest::table::Column::of(header, $text)),+ }
            }
        }
    };
}
pub(crate) use columns;

/// One row of a table.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    pub(crate) line: i64,
    record: &'a StringRecord,
}

impl<'a> Row<'a> {
    /// A field that may be empty or absent.
    pub(crate) fn opt(&self, column: Column) -> Option<&'a str> {
        let text = self.record.get(column.at?)?.trim();
        (!text.is_empty()).then_some(text)
    }

    /// A field that must be there.
    pub(crate) fn text(&self, column: Column) -> Result<&'a str, Refusal> {
        self.opt(column).ok_or_else(|| Refusal::missing(column.name))
    }

    /// A finite number.
    pub(crate) fn number(&self, column: Column) -> Result<f64, Refusal> {
        number(column.name, self.text(column)?)
    }

    /// A finite number, or nothing.
    pub(crate) fn opt_number(&self, column: Column) -> Result<Option<f64>, Refusal> {
        self.opt(column).map(|text| number(column.name, text)).transpose()
    }

    /// A finite number that is not below zero.
    pub(crate) fn amount(&self, column: Column) -> Result<f64, Refusal> {
        let value = self.number(column)?;
        if value < 0.0 {
            return Err(Refusal::bad(column.name, self.text(column)?, "a number that is not negative"));
        }
        Ok(value)
    }

    /// Anything with one parser.
    pub(crate) fn parse<T: FromStr>(&self, column: Column, expected: &str) -> Result<T, Refusal> {
        let text = self.text(column)?;
        text.parse().map_err(|_| Refusal::bad(column.name, text, expected))
    }

    /// A calendar date.
    pub(crate) fn date(&self, column: Column) -> Result<Date, Refusal> {
        let expected = "a date such as 2024-03-29";
        let date: Date = self.parse(column, expected)?;
        if is_of_the_league(date) {
            Ok(date)
        } else {
            Err(Refusal::bad(column.name, self.text(column)?, expected))
        }
    }

    /// A time of day.
    pub(crate) fn time(&self, column: Column) -> Result<Time, Refusal> {
        self.parse(column, "a time such as 19:30:00")
    }

    /// An instant.
    pub(crate) fn instant(&self, column: Column) -> Result<Timestamp, Refusal> {
        instant(column.name, self.text(column)?)
    }

    /// `1`, `0`, `True` or `False`.
    pub(crate) fn flag(&self, column: Column) -> Result<bool, Refusal> {
        let text = self.text(column)?;
        match text {
            "1" | "True" | "true" => Ok(true),
            "0" | "False" | "false" => Ok(false),
            _ => Err(Refusal::bad(column.name, text, "0 or 1")),
        }
    }

    /// A person's name.
    pub(crate) fn player(&self, column: Column) -> Result<PlayerName, Refusal> {
        player_name(column.name, self.text(column)?)
    }

    /// A price; none when the cell is empty.
    pub(crate) fn price(&self, column: Column) -> Result<Option<Price>, Refusal> {
        self.opt(column).map(|text| price(column.name, text)).transpose()
    }

    /// A line on the half-point grid.
    pub(crate) fn point(&self, column: Column) -> Result<Line, Refusal> {
        point(column.name, self.text(column)?)
    }

    /// The row as text, for the quarantine.
    pub(crate) fn excerpt(&self) -> String {
        excerpt(self.record)
    }
}

fn excerpt(record: &StringRecord) -> String {
    record.iter().collect::<Vec<_>>().join(",")
}

/// A finite number.
pub(crate) fn number(field: &str, text: &str) -> Result<f64, Refusal> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(Refusal::bad(field, text, "a number")),
    }
}

/// True for a date on which the league can have played or may play: what lies beyond is a slip of the pen, and would
/// overflow every reckoning with it.
pub(crate) fn is_of_the_league(date: Date) -> bool {
    (1946..2200).contains(&date.year())
}

/// An instant of a year in which the league plays.
pub(crate) fn instant(field: &str, text: &str) -> Result<Timestamp, Refusal> {
    let at: Option<Timestamp> = text.parse().ok();
    at.filter(|at| is_of_the_league(league_date(*at)))
        .ok_or_else(|| Refusal::bad(field, text, "an instant such as 2024-03-29T23:10:00Z"))
}

/// Longest name or id that is taken for one.
const MAX_NAME: usize = 100;

/// True for text that a table can keep and a page can show: not endless, and without the control characters that a
/// database or a terminal would take for orders.
pub(crate) fn is_plain(text: &str) -> bool {
    text.chars().count() <= MAX_NAME && !text.chars().any(char::is_control)
}

/// A player's line: above zero.
pub(crate) fn player_point(field: &str, text: &str) -> Result<Line, Refusal> {
    let line = point(field, text)?;
    if line.half_points() <= 0 {
        return Err(Refusal::bad(field, text, "a line above zero"));
    }
    Ok(line)
}

/// A name that leaves a key.
pub(crate) fn player_name(field: &str, text: &str) -> Result<PlayerName, Refusal> {
    let bare = text.trim_start_matches(['•', ' ', '\u{a0}']);
    if !is_plain(bare) {
        return Err(Refusal::bad(field, text, "a player's name"));
    }
    PlayerName::parse(bare).map_err(|_| Refusal::bad(field, text, "a player's name"))
}

/// A price of either notation; a number that no book offers is `price_out_of_range`, other text a bad field.
pub(crate) fn price(field: &str, text: &str) -> Result<Price, Refusal> {
    text.parse().map_err(|e: proto::ParseError| match text.parse::<f64>() {
        Ok(value) if value.is_finite() => {
            Refusal::of(Code::PriceOutOfRange, format!("`{field}` is `{text}`: {}", e.why))
        }
        _ => Refusal::new(BAD_FIELD, format!("`{field}`: {e}")),
    })
}

/// A line; a number off the grid is `off_grid`, other text a bad field.
pub(crate) fn point(field: &str, text: &str) -> Result<Line, Refusal> {
    let value = number(field, text)?;
    Line::from_points(value).ok_or_else(|| {
        Refusal::of(Code::OffGrid, format!("`{field}` is `{text}`, which is not on the half-point grid"))
    })
}

/// A player market by the vendor's key; anything else is `wrong_market`.
pub(crate) fn player_market(key: &str) -> Result<Market, Refusal> {
    let refuse = || Refusal::of(Code::WrongMarket, format!("`{key}` is no player market of this sport"));
    if !key.starts_with("player_") {
        return Err(refuse());
    }
    key.parse().map_err(|_| refuse())
}

/// Longest line of a text file; a longer one is refused without being kept.
pub(crate) const MAX_LINE: usize = 1 << 20;

/// Why a file ended before its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// The packed stream breaks off; what came before is whole.
    Truncated(String),
    /// The packed stream contradicts its own checksum; nothing of it can be trusted.
    Corrupt(String),
    /// More bytes than the file can honestly hold; nothing of it is used.
    Bomb(String),
    /// The file cannot be read any more.
    Unreadable(String),
    /// Nobody takes the rows any more.
    Stopped,
}

impl Damage {
    /// What an error of the byte stream means.
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.kind() {
            _ if is_bomb(error) => Self::Bomb(error.to_string()),
            io::ErrorKind::UnexpectedEof => Self::Truncated("the packed stream breaks off".to_owned()),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Self::Corrupt(error.to_string()),
            _ => Self::Unreadable(error.to_string()),
        }
    }
}

/// The lines of a text file, one at a time, in bounded memory.
pub(crate) struct Lines {
    reader: BufReader<Box<dyn Read + Send>>,
    line: Vec<u8>,
    number: i64,
    limit: usize,
}

/// One line of a file.
pub(crate) struct TextLine<'a> {
    pub(crate) number: i64,
    /// Its text, or why it is none.
    pub(crate) text: Result<&'a str, Refusal>,
    /// False for a last line that lacks its end.
    pub(crate) ended: bool,
}

impl Lines {
    /// Lines of at most `limit` bytes.
    pub(crate) fn new(reader: Box<dyn Read + Send>, limit: usize) -> Self {
        Self { reader: BufReader::with_capacity(64 << 10, reader), line: Vec::new(), number: 0, limit }
    }

    /// The next line that is not blank.
    pub(crate) fn next(&mut self) -> Result<Option<TextLine<'_>>, Damage> {
        loop {
            self.line.clear();
            let limit = self.limit;
            let n = (&mut self.reader).take(limit as u64 + 1).read_until(b'\n', &mut self.line);
            if n.map_err(|e| Damage::of(&e))? == 0 {
                return Ok(None);
            }
            self.number += 1;
            let ended = self.line.ends_with(b"\n");
            if !ended && self.line.len() > limit {
                self.skip_to_end_of_line()?;
                let refusal = Refusal::new(MALFORMED, format!("the line has more than {limit} bytes"));
                return Ok(Some(TextLine { number: self.number, text: Err(refusal), ended: true }));
            }
            if self.line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let text = match std::str::from_utf8(&self.line) {
                Ok(text) if !text.contains('\0') => {
                    Ok(text.trim_end_matches(['\n', '\r']).trim_start_matches('\u{feff}'))
                }
                Ok(_) => Err(Refusal::new(MALFORMED, "the line holds a zero byte")),
                Err(e) => Err(Refusal::new(MALFORMED, format!("the line is not UTF-8 text: {e}"))),
            };
            return Ok(Some(TextLine { number: self.number, text, ended }));
        }
    }

    fn skip_to_end_of_line(&mut self) -> Result<(), Damage> {
        loop {
            let buffer = self.reader.fill_buf().map_err(|e| Damage::of(&e))?;
            if buffer.is_empty() {
                return Ok(());
            }
            let (n, found) = match buffer.iter().position(|b| *b == b'\n') {
                Some(at) => (at + 1, true),
                None => (buffer.len(), false),
            };
            self.reader.consume(n);
            if found {
                return Ok(());
            }
        }
    }
}

/// A table being read. Lines are records: a stray quote costs its own line, not the rest of the file.
pub(crate) struct Table {
    lines: Lines,
    pub(crate) header: Header,
    record: StringRecord,
}

/// What the next line of a table is.
pub(crate) enum Next<'a> {
    /// A row with as many fields as the header.
    Row(Row<'a>),
    /// A line that is no row: where, why, and its text.
    Bad(i64, Refusal, String),
}

impl Table {
    pub(crate) fn open(source: &Source) -> Result<Self, Damage> {
        let reader = source.reader().map_err(|e| Damage::of(&e))?;
        Self::from_reader(reader)
    }

    pub(crate) fn from_reader(reader: Box<dyn Read + Send>) -> Result<Self, Damage> {
        let mut lines = Lines::new(reader, MAX_LINE);
        let mut record = StringRecord::new();
        if let Some(TextLine { text: Ok(text), .. }) = lines.next()? {
            split(text, &mut record);
        }
        let header = Header::of(&record);
        Ok(Self { lines, header, record })
    }

    /// The next line, none at the end. Blank lines are not lines.
    pub(crate) fn next(&mut self) -> Result<Option<Next<'_>>, Damage> {
        let Some(line) = self.lines.next()? else { return Ok(None) };
        let (number, ended) = (line.number, line.ended);
        let text = match line.text {
            Ok(text) => text,
            Err(refusal) => return Ok(Some(Next::Bad(number, refusal, String::new()))),
        };
        let balanced = split(text, &mut self.record);
        let (found, expected) = (self.record.len(), self.header.len());
        if !balanced || found != expected {
            let code = if !ended && found < expected { TRUNCATED } else { MALFORMED };
            let sentence = match balanced {
                true => format!("the line has {found} fields, the header {expected}"),
                false => "a quote in the line is not closed".to_owned(),
            };
            return Ok(Some(Next::Bad(number, Refusal::new(code, sentence), text.to_owned())));
        }
        Ok(Some(Next::Row(Row { line: number, record: &self.record })))
    }
}

/// Splits one line at its commas, minding quotes; false when a quote is left open.
pub(crate) fn split(line: &str, record: &mut StringRecord) -> bool {
    record.clear();
    if !line.contains('"') {
        line.split(',').for_each(|field| record.push_field(field));
        return true;
    }
    let (mut field, mut quoted) = (String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => {
                record.push_field(&field);
                field.clear();
            }
            _ => field.push(c),
        }
    }
    record.push_field(&field);
    !quoted
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    fn rows(text: &'static str) -> Vec<Result<Vec<String>, (i64, &'static str)>> {
        let mut table = Table::from_reader(Box::new(text.as_bytes())).unwrap();
        let mut found = Vec::new();
        while let Some(next) = table.next().unwrap() {
            found.push(match next {
                Next::Row(row) => Ok(row.record.iter().map(str::to_owned).collect()),
                Next::Bad(line, refusal, _) => Err((line, refusal.code)),
            });
        }
        found
    }

    #[test]
    fn a_bad_line_costs_itself_only() {
        let text = "\u{feff}a,b\r\n1,2\r\n\n3\n\"4,5\n\"6,7\",\"say \"\"hi\"\"\"\n8,9,10\n11";
        let ok = |a: &str, b: &str| Ok(vec![a.to_owned(), b.to_owned()]);
        assert_eq!(
            rows(text),
            vec![
                ok("1", "2"),
                Err((4, "malformed")),
                Err((5, "malformed")),
                ok("6,7", "say \"hi\""),
                Err((7, "malformed")),
                Err((8, "truncated")),
            ]
        );
    }

    #[test]
    fn an_endless_line_is_refused_without_being_kept() {
        let long = "x".repeat(3 * MAX_LINE);
        let text: &'static str = Box::leak(format!("a,b\n{long}\n1,2\n").into_boxed_str());
        assert_eq!(rows(text), vec![Err((2, "malformed")), Ok(vec!["1".to_owned(), "2".to_owned()])]);
    }

    #[test]
    fn prices_and_points_tell_why_they_are_refused() {
        for (text, code) in
            [("-50", "price_out_of_range"), ("0.5", "price_out_of_range"), ("abc", "bad_field")]
        {
            assert_eq!(price("price", text).unwrap_err().code, code, "{text}");
        }
        for (text, code) in [("20.25", "off_grid"), ("x", "bad_field"), ("NaN", "bad_field")] {
            assert_eq!(point("point", text).unwrap_err().code, code, "{text}");
        }
        assert_eq!(player_market("batter_hits").unwrap_err().code, "wrong_market");
        assert_eq!(player_market("player_points").unwrap().as_str(), "points");
    }
}
