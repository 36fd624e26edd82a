//! Integration tests of the coordinator: one binary, a module per topic.

mod tidy;
