//! Guests: everything that knows the engine. No other folder names a type of it.
//!
//! [`Engines`] holds one engine for each shard and kind; a [`Program`] is code compiled once and linked on each
//! shard when a thread first needs it there; a [`Guest`] is one live sandbox. [`Sandbox`] puts them behind the
//! pool and serves events.

mod artifact;
mod census;
pub(crate) mod contract;
mod engine;
mod fault;
mod guest;
mod io;
mod linker;
mod log;
mod meter;
mod prepare;
mod program;
mod sandbox;
mod state;
mod supervise;
mod survey;

pub use crate::wasm::contract::Contract;
pub(crate) use crate::wasm::engine::{EngineOptions, Engines};
pub(crate) use crate::wasm::io::Io;
pub(crate) use crate::wasm::program::{Dir, Program, Recipe};
pub(crate) use crate::wasm::sandbox::{Sandbox, Surroundings};
