//! Which quotes count, and which one a prediction is compared with.
//!
//! A quote is refused alone; the rest of the night goes on (incident 2: four bad lines stopped 81 players). Whether
//! a quote is real is decided by its provenance, never by its number: a real 20.0 passes, an unprovenanced 20.5 does
//! not (incident 52). Each refusal has one code and a sentence with figures.
//!
//! A book may quote several points for one player. Only its *main* one, the point nearest to even money, is judged,
//! counted in medians and chosen; alternates are stored and never seen here.
//!
//! [`policy`] holds the thresholds, [`main_line`] tells main from alternate, [`mod@judge`] refuses, [`mod@choose`] chooses;
//! [`mod@tags`] and [`summary`] describe what was seen, for people and for later models.

pub mod choose;
pub mod judge;
pub mod main_line;
pub mod policy;
pub mod summary;
pub mod tags;

pub use choose::{ChosenLine, choose};
pub use judge::{Judged, LineContext, judge};
pub use main_line::{Point, main_point, mark_main};
pub use policy::LinePolicy;
pub use summary::{BookLine, LineSummary, summarise};
pub use tags::{minutes_before_tip, tags};

use proto::{Code, CodeNote, Line};

/// Reads a line as a source wrote it, for ingest: refused with [`Code::OffGrid`] when it is not on the half-point grid.
pub fn line_on_grid(text: &str) -> Result<Line, CodeNote> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        CodeNote::of_job(
            Code::OffGrid,
            format!("`{shown}` is not a line on the half-point grid, e.g. 20.5 or 20"),
        )
    })
}

#[cfg(test)]
pub(crate) mod samples;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn the_grid_is_half_points() {
        assert_eq!(line_on_grid("20").unwrap(), line_on_grid("20.0").unwrap());
        assert_eq!(line_on_grid("0.5").unwrap().half_points(), 1);
        for wrong in ["20.25", "20.4", "", "twenty", "NaN", "1e9"] {
            assert_eq!(line_on_grid(wrong).unwrap_err().code, Code::OffGrid, "{wrong}");
        }
    }
}
