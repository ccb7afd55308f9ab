//! Compiling ahead of time.

use crate::error::Error;
use crate::function::IntoCode;
use crate::limits::MIB;
use crate::wasm::{EngineOptions, Engines, Mappings, Vault};

/// How code is compiled ahead of time; it must be as the runtime is that takes it.
///
/// ```
/// let options = fnhost::PrecompileOptions::new().fuel(true);
/// # drop(options);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "options do nothing by themselves"]
pub struct PrecompileOptions {
    fuel: bool,
}

impl PrecompileOptions {
    /// Begins with the defaults of [`RuntimeBuilder`](crate::RuntimeBuilder).
    pub fn new() -> Self {
        Self::default()
    }

    /// Says whether the runtime meters fuel; false unless set.
    pub fn fuel(mut self, metered: bool) -> Self {
        self.fuel = metered;
        self
    }
}

/// Compiles code for [`Function::precompiled`](crate::Function::precompiled), on the calling thread.
///
/// What it answers fits this version of the library and this kind of processor only. Code that is deployed
/// from a cache folder needs none of this.
///
/// # Errors
///
/// Whatever deploying the code would refuse: it does not compile, speaks no contract, or cannot be linked.
pub fn precompile(code: impl IntoCode, options: &PrecompileOptions) -> Result<Vec<u8>, Error> {
    // Room to load it once, as only that tells all about it; nothing runs.
    let options = EngineOptions {
        places: 16,
        table_elements: 1_000_000,
        memory: 1024 * MIB,
        fuel: options.fuel,
        shards: Some(1),
    };
    let engines = Engines::new(options)?.into();
    Ok(Vault::new(engines, Mappings::new(None, None), None).precompile(&code.into_code())?)
}
