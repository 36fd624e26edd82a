//! The finalizer as step(event, now) -> actions.
