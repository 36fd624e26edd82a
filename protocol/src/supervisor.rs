//! The supervisor as step(event, now) -> actions.
