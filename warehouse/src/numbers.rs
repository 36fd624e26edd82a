//! Numbers of rows: a line's number in the upper bits, its system's in the lower sixteen (migration 7).

/// The bits that say which system a row is of. In SQL they are `<< 16` and `& 65535`.
const SYSTEM_BITS: u32 = u16::BITS;

/// The number of the row of a system against a line.
pub(crate) fn row_no(line: i64, system: u16) -> i64 {
    line << SYSTEM_BITS | i64::from(system)
}

/// Whose line a row is held against.
pub(crate) fn line_of(row_no: i64) -> i64 {
    row_no >> SYSTEM_BITS
}

/// Which system's row it is.
pub(crate) fn system_of(row_no: i64) -> u16 {
    // The cast keeps the lower sixteen bits.
    row_no as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_gives_back_what_it_is_made_of() {
        for (line, system) in [(0, 0), (1, u16::MAX), (1 << 40, 7)] {
            let row = row_no(line, system);
            assert_eq!((line_of(row), system_of(row)), (line, system));
        }
        assert!(row_no(3, u16::MAX) < row_no(4, 0), "rows of a line stand together");
    }
}
