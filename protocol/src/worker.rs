//! The worker as step(event, now) -> actions.
