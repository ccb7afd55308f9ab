//! Code compiled once, and mapped on each shard when a thread first needs it there.

use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};

use crate::cache::Pin;
use crate::error::ErrorKind;
use crate::wasm::artifact::Artifact;
use crate::wasm::contract::Code;
use crate::wasm::findings::Findings;
use crate::wasm::mappings::Counted;
use crate::wasm::vault::{Names, Vault};

/// Code compiled once; functions of the same code share it.
pub(crate) struct Program {
    findings: Findings,
    names: Names,
    stock: RwLock<Stock>,
    /// As each shard has it, while somebody does.
    shards: Box<[Mutex<Weak<Mapped>>]>,
}

/// Where compiled code is, while it is not mapped.
pub(crate) enum Stock {
    /// In the cache folder, with the source beside it; neither is evicted meanwhile.
    Cached { _pins: [Pin; 2] },
    /// Here: there is no cache folder, or it takes nothing.
    Kept(Artifact),
}

/// A program's code as one shard has it.
pub(crate) struct Mapped {
    pub(crate) code: Code,
    pub(crate) engine: wasmtime::Engine,
    pub(crate) _counted: Counted,
}

impl Program {
    pub(crate) fn new(findings: Findings, names: Names, stock: Stock, shards: usize) -> Self {
        let shards = (0..shards).map(|_| Mutex::default()).collect();
        Self { findings, names, stock: RwLock::new(stock), shards }
    }

    pub(crate) fn findings(&self) -> &Findings {
        &self.findings
    }

    /// Returns the code as a shard has it, mapped now if nobody has it there; long work.
    ///
    /// What the cache folder has lost, or what does not verify any more, is compiled again.
    pub(crate) fn map(&self, vault: &Vault, function: &str, lane: usize) -> Result<Arc<Mapped>, ErrorKind> {
        let mut shard = self.shards[lane % self.shards.len()].lock();
        if let Some(mapped) = shard.upgrade() {
            return Ok(mapped);
        }
        let mapped = match self.load(vault, function, lane) {
            Ok(mapped) => mapped,
            Err(reason) => {
                tracing::warn!(function, %reason, "compiled code cannot be loaded; it is compiled again");
                let stock = vault.compile_again(function, &self.names, &self.findings)?;
                *self.stock.write() = stock;
                self.load(vault, function, lane)?
            }
        };
        let mapped = Arc::new(mapped);
        *shard = Arc::downgrade(&mapped);
        Ok(mapped)
    }

    /// Notes what was mapped when the code was compiled.
    pub(crate) fn adopt(&self, mapped: &Arc<Mapped>, lane: usize) {
        *self.shards[lane % self.shards.len()].lock() = Arc::downgrade(mapped);
    }

    fn load(&self, vault: &Vault, function: &str, lane: usize) -> Result<Mapped, ErrorKind> {
        match &*self.stock.read() {
            Stock::Kept(artifact) => vault.load(function, &self.findings, artifact, lane),
            Stock::Cached { .. } => vault.load(function, &self.findings, &vault.cached(&self.names)?, lane),
        }
    }
}
