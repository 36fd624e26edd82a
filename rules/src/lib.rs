//! The domain's decisions as pure functions.
