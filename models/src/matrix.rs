//! The input of every engine: rows of features, one after the other in memory.
//!
//! Values are `f64` as the feature builder made them; an engine rounds to what its model was trained on (ONNX exports say
//! `float`), so a formula is not made inexact by a tree's habits. A missing feature is NaN, never a default.

use thiserror::Error;

/// Rows of equal width, row-major; NaN means missing.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureMatrix {
    width: usize,
    rows: usize,
    values: Vec<f64>,
}

/// A row that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("row {row} has {got} features, the matrix has {width}: build rows by the model's own list of names")]
pub struct RowWidthError {
    /// Number the refused row would have had.
    pub row: usize,
    /// Values it came with.
    pub got: usize,
    /// Values a row of this matrix has.
    pub width: usize,
}

impl FeatureMatrix {
    /// An empty matrix whose rows have `width` features.
    pub fn with_width(width: usize) -> FeatureMatrix {
        FeatureMatrix { width, rows: 0, values: Vec::new() }
    }

    /// The same with room for `rows` rows.
    pub fn with_capacity(width: usize, rows: usize) -> FeatureMatrix {
        FeatureMatrix { width, rows: 0, values: Vec::with_capacity(width.saturating_mul(rows)) }
    }

    /// Appends a row; one of another width is refused and changes nothing.
    pub fn push_row(&mut self, row: &[f64]) -> Result<(), RowWidthError> {
        if row.len() != self.width {
            return Err(RowWidthError { row: self.rows, got: row.len(), width: self.width });
        }
        self.values.extend_from_slice(row);
        self.rows += 1;
        Ok(())
    }

    /// Forgets the rows and keeps the memory.
    pub fn clear(&mut self) {
        self.rows = 0;
        self.values.clear();
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Features of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Row `index`, counted from 0. Panics like a slice when there is no such row.
    pub fn row(&self, index: usize) -> &[f64] {
        assert!(index < self.rows, "row {index} of {}", self.rows);
        &self.values[index * self.width..(index + 1) * self.width]
    }

    /// Rows `from..to` as one slice; for engines that work in blocks.
    pub(crate) fn block(&self, from: usize, to: usize) -> &[f64] {
        &self.values[from * self.width..to * self.width]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_another_width_is_refused_and_changes_nothing() {
        let mut matrix = FeatureMatrix::with_width(2);
        matrix.push_row(&[1.0, f64::NAN]).expect("two of two");
        let error = matrix.push_row(&[1.0]).expect_err("one of two");
        assert_eq!(error, RowWidthError { row: 1, got: 1, width: 2 });
        assert_eq!(matrix.rows(), 1);
        assert_eq!(matrix.row(0)[0], 1.0);
        assert!(matrix.row(0)[1].is_nan());
        matrix.clear();
        assert_eq!((matrix.rows(), matrix.width()), (0, 2));
    }
}
