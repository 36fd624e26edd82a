//! The `tipoff` binary.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// A row is made by SQLite's thread and freed by the task that reads it, thousands of times a batch: here the two threads
/// seldom meet at a lock. SQLite's own C code uses it too.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    coordinator::cli::main()
}
