//! Tests over real data: skipped where `TIPOFF_DATA` does not name a folder with it, because it is not ours to ship.

mod labelled;
mod line_quality;
mod real;
mod resolution;
