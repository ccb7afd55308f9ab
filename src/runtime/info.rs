//! What can be asked of a runtime and its functions.

use std::time::Duration;

use crate::invoke::Deployment;
use crate::limits::{Limits, PAGE};
use crate::runtime::core::{Code, Core};
use crate::wasm::Contract;

/// One function and its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionInfo {
    /// Its name.
    pub name: String,
    /// Its versions, oldest first; the last one is what the name stands for.
    pub versions: Vec<u64>,
}

/// One version of a function.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Description {
    /// The function's name.
    pub name: String,
    /// The version's number.
    pub version: u64,
    /// The contract that its code speaks.
    pub contract: Contract,
    /// The BLAKE3 hash of its binary code, in hexadecimal; none for native handlers.
    pub hash: Option<String>,
    /// How long it took to compile, or to find what was compiled before, with init and samples where they ran; zero
    /// for native handlers.
    pub compile_time: Duration,
    /// How many events may run at once.
    pub concurrency: u32,
    /// How many events may wait.
    pub queue: usize,
    /// What one event may consume.
    pub limits: Limits,
}

/// What one version of a function is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Events that have a permit: running, or waiting for a place.
    pub running: usize,
    /// Events that wait for a permit.
    pub waiting: usize,
    /// Guests that are there: running, being made, idle, prepared, and on their way out. Under reuse and where
    /// some are prepared, an event that waits for a place counts as the guest that it is going to have.
    pub live: usize,
    /// Guests that have served and wait for another event.
    pub idle: usize,
    /// Guests that stand ready for their first event.
    pub prepared: usize,
    /// Guests made so far.
    pub created: u64,
    /// Guests discarded so far.
    pub discarded: u64,
    /// Events that a guest has ended by itself, with an answer or a failure of its own.
    pub served: u64,
}

/// What a runtime holds and has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuntimeStats {
    /// How many engines share the work.
    pub shards: usize,
    /// Whether memories come from a pool; if not, the address space was refused and fresh guests cost more.
    pub pooled: bool,
    /// How many linear memories all guests may have together.
    pub places: u32,
    /// How many they have.
    pub places_taken: u32,
    /// How much linear memory all guests may have together, in bytes.
    pub memory: u64,
    /// How much they have.
    pub memory_taken: u64,
    /// Events that wait for a place.
    pub waiting: usize,
    /// How many programs are mapped, counted once for each shard.
    pub loaded: usize,
    /// How many may stay mapped while nobody uses them.
    pub most_loaded: usize,
}

pub(super) fn functions(core: &Core) -> Vec<FunctionInfo> {
    let entries = core.registry.entries().into_iter();
    let info = entries.map(|(name, entry)| FunctionInfo {
        name,
        versions: entry.versions().into_iter().map(|(version, _)| version).collect(),
    });
    info.collect()
}

pub(super) fn runtime(core: &Core) -> RuntimeStats {
    let (total, out) = (core.room.total(), core.room.out());
    RuntimeStats {
        shards: core.engines.shards(),
        pooled: core.engines.is_pooled(),
        places: total.units(),
        places_taken: out.units(),
        memory: total.pages() * PAGE,
        memory_taken: out.pages() * PAGE,
        waiting: core.room.waiting(),
        loaded: core.vault.mappings.count(),
        most_loaded: core.vault.mappings.most(),
    }
}

pub(super) fn stats(deployment: &Deployment<Code>) -> Stats {
    let ((created, discarded, served), (live, idle, prepared)) = match &deployment.callee {
        Code::Wasm(sandbox) => {
            let pool = sandbox.pool();
            (pool.tally().sums(), (pool.live(), pool.idle(), pool.ready()))
        }
        Code::Native(native) => (native.tally.sums(), (0, 0, 0)),
    };
    Stats {
        running: deployment.gate.out().units() as usize,
        waiting: deployment.gate.waiting(),
        live,
        idle,
        prepared,
        created,
        discarded,
        served,
    }
}

pub(super) fn describe(deployment: &Deployment<Code>) -> Description {
    let (contract, hash, compile_time) = match &deployment.callee {
        Code::Wasm(sandbox) => {
            let program = sandbox.program();
            (program.findings().contract, Some(sandbox.hash()), sandbox.took())
        }
        Code::Native(_) => (Contract::Native, None, Duration::ZERO),
    };
    let facts = &deployment.facts[0];
    Description {
        name: facts.name.clone(),
        version: facts.version,
        contract,
        hash,
        compile_time,
        concurrency: deployment.gate.total().units(),
        queue: deployment.max_waiting,
        limits: deployment.limits.clone(),
    }
}
