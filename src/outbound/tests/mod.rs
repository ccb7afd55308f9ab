//! Tests, by danger.

mod addresses;
mod bodies;
mod hosts;
mod limits;
mod names;
mod requests;
mod reuse;
mod rules;
mod times;
mod tls;
mod world;
