//! Rows as CSV, safe to open in a spreadsheet: a text cell that begins like a formula gets a quote in front.

use serde::Serialize;

/// Writes rows below a header line, which is there without rows, too. Cells keep their text, except those a
/// spreadsheet would run.
pub(crate) fn to_csv<T: Serialize>(columns: &[&str], rows: &[T]) -> Result<Vec<u8>, ::csv::Error> {
    let mut plain = ::csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    plain.write_record(columns)?;
    for row in rows {
        plain.serialize(row)?;
    }
    let bytes = plain.into_inner().map_err(|e| ::csv::Error::from(e.into_error()))?;
    let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(bytes.as_slice());
    let mut safe = ::csv::Writer::from_writer(Vec::with_capacity(bytes.len() + 64));
    let mut record = ::csv::StringRecord::new();
    while reader.read_record(&mut record)? {
        for cell in &record {
            match is_formula(cell) {
                true => safe.write_field(format!("'{cell}"))?,
                false => safe.write_field(cell)?,
            }
        }
        safe.write_record(None::<&[u8]>)?;
    }
    safe.into_inner().map_err(|e| ::csv::Error::from(e.into_error()))
}

/// True for a text that a spreadsheet would take for a formula. Numbers are data, with or without a sign.
fn is_formula(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[derive(Serialize)]
    struct Row {
        name: &'static str,
        margin: f64,
        price: &'static str,
        line: Option<f64>,
    }

    #[test]
    fn formulas_are_disarmed_and_numbers_left_alone() {
        let row = |name, price| Row { name, margin: -3.5, price, line: None };
        let rows =
            [row("=1+1", "-110"), row("@x", "+150"), row("-cmd|' /C'!A0", "2.5"), row("a,\"b\"\nc", "+x")];
        let text = String::from_utf8(to_csv(&["name", "margin", "price", "line"], &rows).unwrap()).unwrap();
        let expected = "name,margin,price,line\n'=1+1,-3.5,-110,\n'@x,-3.5,+150,\n'-cmd|' /C'!A0,-3.5,2.5,\n\
                        \"a,\"\"b\"\"\nc\",-3.5,'+x,\n";
        assert_eq!(text, expected);
        assert_eq!(to_csv::<Row>(&["name", "margin"], &[]).unwrap(), b"name,margin\n");
    }
}
