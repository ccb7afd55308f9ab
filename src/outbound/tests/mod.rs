//! Tests, by danger.

mod addresses;
mod hosts;
mod rules;
