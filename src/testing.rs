//! What tests of a host need: a time of day that they move.

pub use crate::wall::ManualClock;
