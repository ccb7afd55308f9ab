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
        let mapped = self.load(vault, function, lane)?;
        let mapped = Arc::new(mapped);
        *shard = Arc::downgrade(&mapped);
        Ok(mapped)
    }

    /// Notes what was mapped when the code was compiled.
    pub(crate) fn adopt(&self, mapped: &Arc<Mapped>, lane: usize) {
        *self.shards[lane % self.shards.len()].lock() = Arc::downgrade(mapped);
    }

    /// Tells whether it lies in memory, so that it cannot be lost.
    pub(crate) fn is_kept(&self) -> bool {
        matches!(*self.stock.read(), Stock::Kept(_))
    }

    fn load(&self, vault: &Vault, function: &str, lane: usize) -> Result<Mapped, ErrorKind> {
        if let Some(mapped) = self.try_load(vault, function, lane)? {
            return Ok(mapped);
        }
        let stock = vault.compile_again(function, &self.names, &self.findings)?;
        *self.stock.write() = stock;
        let gone = || ErrorKind::Engine {
            reason: format!(
                "the compiled code of {function:?} goes from the cache folder as soon as it is there; see who else \
                 clears the folder"
            ),
        };
        self.try_load(vault, function, lane)?.ok_or_else(gone)
    }

    /// Maps the code; none when the cache folder does not have it any more.
    fn try_load(&self, vault: &Vault, function: &str, lane: usize) -> Result<Option<Mapped>, ErrorKind> {
        let load = |artifact: &Artifact| vault.load(function, &self.findings, artifact, lane);
        match &*self.stock.read() {
            Stock::Kept(artifact) => load(artifact).map(Some),
            Stock::Cached { .. } => vault.cached(&self.names)?.as_ref().map(load).transpose(),
        }
    }
}
