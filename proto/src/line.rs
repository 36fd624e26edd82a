//! A line: the threshold of an over/under bet, exact on the half-point grid.
//!
//! The predecessor cast lines to integers in a merge key, so 20.5 and 21.0 met (domain.md 4); here a line is a
//! whole number of half points, and 20.0 is a legal line like any other (incident 52).

use std::fmt;
use std::str::FromStr;

use crate::ParseError;
use crate::text::compact_serde;

/// A line in half points: 20.5 is 41.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line(i32);

impl Line {
    /// The line of so many half points.
    pub const fn from_half_points(half_points: i32) -> Self {
        Self(half_points)
    }

    /// The line in half points, as stored.
    pub const fn half_points(self) -> i32 {
        self.0
    }

    /// The line in points.
    pub fn points(self) -> f64 {
        f64::from(self.0) / 2.0
    }

    /// The line nearest to nothing else: a value in points, refused off the grid and beyond 500 points either way.
    pub fn from_points(points: f64) -> Option<Self> {
        let doubled = points * 2.0;
        (doubled.fract() == 0.0 && doubled.abs() <= 1000.0).then_some(Self(doubled as i32))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let half = self.0.unsigned_abs();
        f.pad(&format!("{sign}{}.{}", half / 2, if half % 2 == 1 { 5 } else { 0 }))
    }
}

impl FromStr for Line {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse =
            || ParseError::new("line", text, "expected points on the half-point grid, e.g. 20.5 or 20");
        let points: f64 = text.trim().parse().map_err(|_| refuse())?;
        Self::from_points(points).ok_or_else(refuse)
    }
}
compact_serde!(Line, i32, |line| line.0, |half_points| Some(Line(half_points)));

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn lines_are_exact() {
        for (text, half, shown) in
            [("20.5", 41, "20.5"), ("21", 42, "21.0"), ("0.5", 1, "0.5"), ("-6.5", -13, "-6.5")]
        {
            let line: Line = text.parse().unwrap();
            assert_eq!((line.half_points(), line.to_string().as_str()), (half, shown));
        }
        for wrong in ["20.25", "abc", "", "NaN", "inf", "1e9"] {
            assert!(wrong.parse::<Line>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn incident_52_a_real_twenty_is_a_line() {
        assert_eq!("20.0".parse::<Line>().unwrap().points(), 20.0);
    }
}
