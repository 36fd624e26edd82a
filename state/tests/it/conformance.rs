//! Every store runs every scenario.

mod memory {
    use std::sync::Arc;

    use state::MemoryStore;
    use state::conformance::Fixture;

    async fn fixture() -> Fixture {
        Fixture { store: Arc::new(MemoryStore::new()), keep: Box::new(()) }
    }

    state::conformance_tests!(fixture);
}
