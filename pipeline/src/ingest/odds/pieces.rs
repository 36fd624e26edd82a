//! JSON cut into values before anybody parses it: one event at a time, in bounded memory.
//!
//! A list, an object, objects one after another and JSON lines all come out as single values. Because the cutting
//! looks at braces and strings only, an event that is wrong inside costs itself, and a file that breaks off loses
//! its last value only.

use std::io::{BufRead, BufReader, Read};

use crate::ingest::refuse::{MALFORMED, Refusal, TOO_LARGE, TRUNCATED};
use crate::ingest::table::{Damage, Lines};

/// Largest single value.
pub(crate) const MAX_VALUE: usize = 32 << 20;
/// Bytes that are kept of a value that cannot be used.
const EXCERPT: usize = 2000;

/// One value of a file, or why there is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Line of a JSON-lines file, else the number of the value; from one.
    pub(crate) number: i64,
    pub(crate) text: Result<String, (Refusal, String)>,
}

/// The values of a JSON file.
pub(crate) enum Pieces {
    Lines(Lines),
    Nested(Nested),
}

impl Pieces {
    /// `head` are the first bytes of what `reader` will give.
    pub(crate) fn new(head: &[u8], reader: Box<dyn Read + Send>) -> Self {
        match is_json_lines(head) {
            true => Self::Lines(Lines::new(reader, MAX_VALUE)),
            false => Self::Nested(Nested::new(reader)),
        }
    }

    pub(crate) fn next(&mut self) -> Result<Option<Piece>, Damage> {
        let Self::Lines(lines) = self else {
            let Self::Nested(nested) = self else { return Ok(None) };
            return nested.next();
        };
        let Some(line) = lines.next()? else { return Ok(None) };
        let number = line.number;
        let text = match line.text {
            Ok(text) if line.ended || is_closed(text) => Ok(text.trim().to_owned()),
            Ok(text) => {
                Err((Refusal::new(TRUNCATED, "the file breaks off inside this line"), text.to_owned()))
            }
            Err(refusal) => Err((refusal, String::new())),
        };
        Ok(Some(Piece { number, text }))
    }
}

/// JSON lines: an object that ends with its line, or a second line that begins with an object of its own.
fn is_json_lines(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.trim_start_matches('\u{feff}').lines().filter(|line| !line.trim().is_empty());
    let Some(first) = lines.next() else { return false };
    match lines.next() {
        _ if !first.starts_with('{') => false,
        Some(second) => second.starts_with('{') || is_closed(first),
        None => is_closed(first),
    }
}

/// True when braces and brackets of a text are balanced outside strings.
fn is_closed(text: &str) -> bool {
    let mut scan = Scan::default();
    text.bytes().for_each(|b| scan.step(b));
    scan.depth == 0 && !scan.in_string
}

/// Depth of nesting, minding strings and escapes.
#[derive(Debug, Default, Clone, Copy)]
struct Scan {
    depth: i64,
    in_string: bool,
    escaped: bool,
}

impl Scan {
    fn step(&mut self, byte: u8) {
        match (self.in_string, byte) {
            (true, _) if self.escaped => self.escaped = false,
            (true, b'\\') => self.escaped = true,
            (_, b'"') => self.in_string = !self.in_string,
            (false, b'{' | b'[') => self.depth += 1,
            (false, b'}' | b']') => self.depth -= 1,
            _ => {}
        }
    }
}

/// Values of a list, or objects one after another.
pub(crate) struct Nested {
    reader: BufReader<Box<dyn Read + Send>>,
    number: i64,
    in_list: bool,
    began: bool,
    ended: bool,
}

/// What a byte at the outermost level means.
enum Step {
    Skip,
    Begin,
    End,
}

impl Nested {
    fn new(reader: Box<dyn Read + Send>) -> Self {
        let reader = BufReader::with_capacity(64 << 10, reader);
        Self { reader, number: 0, in_list: false, began: false, ended: false }
    }

    fn next(&mut self) -> Result<Option<Piece>, Damage> {
        if self.ended || !self.find_beginning()? {
            return Ok(None);
        }
        self.number += 1;
        let (mut scan, mut value) = (Scan::default(), Vec::new());
        // A value that is too large is read to its end without being kept, so that the events behind it still go in.
        let mut is_too_large = false;
        loop {
            let buffer = match self.reader.fill_buf() {
                Ok(buffer) => buffer,
                Err(e) => {
                    self.ended = true;
                    return Err(Damage::of(&e));
                }
            };
            if buffer.is_empty() {
                self.ended = true;
                return Ok(Some(match is_too_large {
                    true => self.too_large(&value),
                    false => self.broken(TRUNCATED, "the file breaks off inside this value", &value),
                }));
            }
            let mut used = 0;
            let mut whole = false;
            for byte in buffer {
                // A value without braces ends where the list goes on.
                let bare_end = scan.depth == 0 && !scan.in_string && matches!(byte, b',' | b']');
                if bare_end && !value.is_empty() {
                    whole = true;
                    break;
                }
                used += 1;
                if !is_too_large && value.len() == MAX_VALUE {
                    is_too_large = true;
                    value.truncate(EXCERPT);
                    value.shrink_to_fit();
                } else if !is_too_large {
                    value.push(*byte);
                }
                scan.step(*byte);
                if scan.depth == 0 && !scan.in_string && matches!(byte, b'}' | b']') {
                    whole = true;
                    break;
                }
            }
            self.reader.consume(used);
            if whole && is_too_large {
                return Ok(Some(self.too_large(&value)));
            }
            if whole {
                return Ok(Some(match String::from_utf8(value) {
                    Ok(text) => Piece { number: self.number, text: Ok(text) },
                    Err(e) => self.broken(MALFORMED, "the value is not UTF-8 text", e.as_bytes()),
                }));
            }
        }
    }

    /// Skips to the first byte of the next value; false at the end.
    fn find_beginning(&mut self) -> Result<bool, Damage> {
        loop {
            let buffer = self.reader.fill_buf().map_err(|e| Damage::of(&e))?;
            let Some(byte) = buffer.first().copied() else {
                let cut = self.in_list;
                self.ended = true;
                return match cut {
                    true => Err(Damage::Truncated("the list is not closed".to_owned())),
                    false => Ok(false),
                };
            };
            let step = match byte {
                b'[' if !self.began => {
                    self.in_list = true;
                    Step::Skip
                }
                b']' if self.in_list => Step::End,
                b',' | b'\xef' | b'\xbb' | b'\xbf' => Step::Skip,
                _ if byte.is_ascii_whitespace() => Step::Skip,
                _ => Step::Begin,
            };
            match step {
                Step::Begin => {
                    self.began = true;
                    return Ok(true);
                }
                Step::End => {
                    self.ended = true;
                    return Ok(false);
                }
                Step::Skip => {
                    self.began |= byte == b'[';
                    self.reader.consume(1);
                }
            }
        }
    }

    fn too_large(&self, text: &[u8]) -> Piece {
        let sentence = format!("the value has more than {MAX_VALUE} bytes, no event is that large");
        self.broken(TOO_LARGE, &sentence, text)
    }

    fn broken(&self, code: &'static str, sentence: &str, text: &[u8]) -> Piece {
        let excerpt = String::from_utf8_lossy(&text[..text.len().min(EXCERPT)]).into_owned();
        Piece { number: self.number, text: Err((Refusal::new(code, sentence), excerpt)) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    fn cut(text: &str) -> Vec<String> {
        let bytes: &'static [u8] = Box::leak(text.to_owned().into_boxed_str()).as_bytes();
        let mut pieces = Pieces::new(bytes, Box::new(bytes));
        let mut found = Vec::new();
        loop {
            match pieces.next() {
                Ok(Some(Piece { number, text: Ok(text) })) => found.push(format!("{number} {text}")),
                Ok(Some(Piece { number, text: Err((refusal, _)) })) => {
                    found.push(format!("{number} !{}", refusal.code));
                }
                Ok(None) => return found,
                Err(damage) => {
                    found.push(format!("{damage:?}").chars().take(9).collect());
                    return found;
                }
            }
        }
    }

    #[test]
    fn every_shape_comes_out_as_values() {
        for (text, values) in [
            (r#"{"a":1}"#, vec![r#"1 {"a":1}"#]),
            ("{\n \"a\": [1, 2]\n}\n", vec!["1 {\n \"a\": [1, 2]\n}"]),
            (r#"[{"a":"}]\""},{"b":2}]"#, vec![r#"1 {"a":"}]\""}"#, r#"2 {"b":2}"#]),
            ("{\"a\":1}\n\n{\"b\":2}\n", vec![r#"1 {"a":1}"#, r#"3 {"b":2}"#]),
            ("{\n\"a\":1}\n{\"b\":\n2}", vec!["1 {\n\"a\":1}", "2 {\"b\":\n2}"]),
            ("[]", vec![]),
            ("[1, null]", vec!["1 1", "2 null"]),
            ("", vec![]),
        ] {
            assert_eq!(cut(text), values, "{text}");
        }
    }

    #[test]
    fn a_value_that_is_too_large_costs_itself_only() {
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_VALUE + 1000));
        let list = format!("[{{\"b\":1}},{large},{{\"c\":2}}]");
        assert_eq!(cut(&list), [r#"1 {"b":1}"#, "2 !too_large", r#"3 {"c":2}"#]);
        assert_eq!(cut(&list[..list.len() - 9]), [r#"1 {"b":1}"#, "2 !too_large", "Truncated"]);
        assert_eq!(cut(&list[..list.len() - 100]), [r#"1 {"b":1}"#, "2 !too_large"]);
        let lines = format!("{{\"b\":1}}\n{large}\n{{\"c\":2}}\n");
        assert_eq!(cut(&lines), [r#"1 {"b":1}"#, "2 !malformed", r#"3 {"c":2}"#]);
    }

    #[test]
    fn damage_costs_the_last_value_only() {
        for (text, values) in [
            (r#"[{"a":1},{"b":"#, vec![r#"1 {"a":1}"#, "2 !truncated"]),
            (r#"[{"a":1},"#, vec![r#"1 {"a":1}"#, "Truncated"]),
            ("{\"a\":1}\n{\"b\":", vec![r#"1 {"a":1}"#, "2 !truncated"]),
            ("{\"a\":\n{\"b\":2}\n", vec!["1 {\"a\":", r#"2 {"b":2}"#]),
        ] {
            assert_eq!(cut(text), values, "{text}");
        }
    }
}
