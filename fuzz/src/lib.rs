//! What the fuzz targets share: a budget of memory, and what every reading of a file must keep.
//!
//! libFuzzer finds crashes and hangs by itself; that a reader asks for too much memory shows only when somebody counts.

use pipeline::ingest::{Kind, Reading};

/// Runs `work` and stops the fuzzer when it held more than `limit` bytes at a time.
pub fn within<T>(limit: usize, work: impl FnOnce() -> T) -> T {
    let mut result = None;
    let held = allocation_counter::measure(|| result = Some(work())).bytes_max;
    assert!(held <= limit as u64, "{held} bytes of memory were held at a time, at most {limit} may be");
    result.expect("the work was done")
}

/// Reads bytes as a file of ingest, and holds the answer to what ingest promises: every row of the file is used, known or
/// refused with a sentence, and memory follows the size of the file.
pub fn read(name: &str, bytes: &[u8]) -> Reading {
    // A refused row of one byte is kept with its sentence, file and code; how many are kept of each code is bounded.
    let limit = (4 << 20) + 64 * bytes.len();
    let reading = within(limit, || pipeline::ingest::read(name, bytes));
    assert!(reading.is_balanced(), "rows went missing: {reading:?}");
    for row in &reading.quarantine {
        assert!(
            !row.sentence.is_empty() && reading.refused.contains_key(&row.code),
            "a refusal without reason: {row:?}"
        );
    }
    reading
}

/// Runs a table reader on a header that is known and rows that are the fuzzer's; its first byte chooses the header, `a` the first one.
pub fn table(headers: &[(Kind, &str)], bytes: &[u8]) {
    let Some((first, rows)) = bytes.split_first() else { return };
    let (kind, header) = headers[usize::from(first.wrapping_sub(b'a')) % headers.len()];
    let file = [header.as_bytes(), b"\n", rows].concat();
    let reading = read("table.csv", &file);
    assert_eq!(reading.kind, Some(kind), "a known header was taken for something else");
}
