//! Integration tests of the coordinator.
