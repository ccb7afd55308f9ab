//! Guests: everything that knows the engine. No other folder names a type of it.
//!
//! [`Engines`] holds one engine for each shard and kind; a [`Program`] is code compiled once and linked on each
//! shard when a thread first needs it there; a [`Guest`] is one live sandbox. [`Sandbox`] puts them behind the
//! pool and serves events.

mod artifact;
mod census;
pub(crate) mod contract;
mod crowd;
mod engine;
mod fault;
mod findings;
mod guest;
mod io;
mod linked;
mod linker;
mod log;
mod mappings;
mod meter;
mod monotonic;
mod prepare;
mod program;
mod recipe;
mod sandbox;
mod snapshot;
mod state;
mod supervise;
mod survey;
mod vault;

pub use crate::wasm::contract::Contract;
pub(crate) use crate::wasm::engine::{EngineOptions, Engines};
pub(crate) use crate::wasm::io::Io;
pub(crate) use crate::wasm::mappings::Mappings;
pub(crate) use crate::wasm::recipe::{Dir, Recipe};
pub(crate) use crate::wasm::sandbox::{Sandbox, Surroundings};
pub use crate::wasm::snapshot::Snapshot;
pub(crate) use crate::wasm::snapshot::{Developed, Studio, develop};
pub use crate::wasm::vault::Origin;
pub(crate) use crate::wasm::vault::{Found, Vault};
