//! The `tipoff` binary.
fn main() {}
