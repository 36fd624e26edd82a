//! The tables: schema, bulk load, point-in-time reads, the verdict transaction.
