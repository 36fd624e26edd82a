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

mod sqlite {
    use std::sync::Arc;

    use state::SqliteStore;
    use state::conformance::Fixture;

    async fn fixture() -> Fixture {
        let dir = crate::folder();
        let store = SqliteStore::open(&dir.path().join("state.db")).await.unwrap();
        Fixture { store: Arc::new(store), keep: Box::new(dir) }
    }

    state::conformance_tests!(fixture);
}

mod redis {
    use std::sync::Arc;

    use state::conformance::{Fixture, RedisServer};
    use state::{BatchStore, MemoryStore};

    async fn fixture() -> Fixture {
        let Some(server) = crate::redis_server() else {
            // Said aloud on stderr; the scenario then runs where it cannot fail for want of a server.
            return Fixture { store: Arc::new(MemoryStore::new()), keep: Box::new(()) };
        };
        let store: Arc<dyn BatchStore> = Arc::new(crate::redis_store(&server).await);
        Fixture { store, keep: Box::new(server as RedisServer) }
    }

    state::conformance_tests!(fixture);
}
