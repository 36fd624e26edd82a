//! The batch protocol without I/O: both machines, the store's operations, the verdict.
