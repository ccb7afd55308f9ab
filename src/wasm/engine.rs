//! The engines: one for each shard and kind, made when a thread first needs it.
//!
//! One engine does not scale over cores: its pool's locks and reference counts are shared. So there is one for
//! each shard, and each is built for all places of the runtime, so that its allocator can never run out
//! whichever threads the guests are made on.

use std::hash::{Hash, Hasher};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::error::ErrorKind;
use crate::limits::MIB;
use crate::wasm::linker::Linkers;

/// x86-64 holds 31,000 places of 4 GiB; two kinds of engines on all shards must stay below that.
const MOST_PLACES: usize = 16_000;
const MOST_SHARDS: usize = 8;
/// Tables that come with a place; a program that has more of them takes more places.
pub(crate) const TABLES_OF_A_PLACE: u32 = 16;
/// Stacks that come with a place where calls may wait for each other: one for a call, and one for the next.
///
/// How many requests a guest serves at once is no part of it: without the stackful ABI, a call that waits either has
/// no stack or keeps every other out of its instance. A program with more instances takes more places.
pub(crate) const STACKS_OF_A_PLACE: u32 = 2;
/// What a slot's memory keeps resident when it is free again: page faults saved for each new guest. Less
/// doubles the first call of a large guest, more gains nothing.
const KEEP_RESIDENT: usize = 1 << 20;
/// A memory's reservation where the address space is too small for 4 GiB each.
const SMALL_RESERVATION: u64 = 128 * MIB;

/// What the engines are built for.
#[derive(Clone, Debug)]
pub(crate) struct EngineOptions {
    pub(crate) places: u32,
    pub(crate) table_elements: u32,
    pub(crate) memory: u64,
    pub(crate) fuel: bool,
    pub(crate) shards: Option<usize>,
}

/// Whether code needs the component model's concurrency, which costs every other guest 5 us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Plain,
    Concurrent,
}

/// How linear memories are allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Allocation {
    Pooled,
    /// The address space that a pool needs was refused.
    OnDemand,
}

/// All engines of one runtime.
pub(crate) struct Engines {
    options: EngineOptions,
    allocation: Allocation,
    plain: Vec<OnceLock<Shard>>,
    concurrent: Vec<OnceLock<Shard>>,
    fingerprint: OnceLock<[u8; 32]>,
}

/// One engine with its linkers.
pub(crate) struct Shard {
    pub(crate) engine: wasmtime::Engine,
    pub(crate) linkers: Linkers,
}

impl Engines {
    /// Chooses the shards and makes the first engine, so that what the system refuses is known at once.
    pub(crate) fn new(options: EngineOptions) -> Result<Self, ErrorKind> {
        let shards = shards(&options);
        let mut engines = Self {
            options,
            allocation: Allocation::Pooled,
            plain: (0..shards).map(|_| OnceLock::new()).collect(),
            concurrent: (0..shards).map(|_| OnceLock::new()).collect(),
            fingerprint: OnceLock::new(),
        };
        if let Err(refused) = engines.shard(Kind::Plain, 0) {
            engines.allocation = Allocation::OnDemand;
            engines.shard(Kind::Plain, 0)?;
            tracing::warn!(
                places = engines.options.places,
                %refused,
                "the address space for pooled memories is refused: every fresh guest costs several times as \
                 much and its code runs a quarter slower; raise `ulimit -v` or lower `places`"
            );
        }
        Ok(engines)
    }

    pub(crate) fn shards(&self) -> usize {
        self.plain.len()
    }

    pub(crate) fn is_pooled(&self) -> bool {
        self.allocation == Allocation::Pooled
    }

    /// Returns a shard, made now if nobody needed it before.
    pub(crate) fn shard(&self, kind: Kind, lane: usize) -> Result<&Shard, ErrorKind> {
        let shards = match kind {
            Kind::Plain => &self.plain,
            Kind::Concurrent => &self.concurrent,
        };
        let shard = &shards[lane % shards.len()];
        if let Some(made) = shard.get() {
            return Ok(made);
        }
        let engine = wasmtime::Engine::new(&self.config(kind)).map_err(refused)?;
        // Two threads may have made one; the second goes, as nothing runs on it yet.
        Ok(shard.get_or_init(|| Shard { linkers: Linkers::new(&engine, kind), engine }))
    }

    /// Makes an engine that only compiles: same code, no room for guests.
    pub(crate) fn compiler(&self, kind: Kind) -> Result<wasmtime::Engine, ErrorKind> {
        wasmtime::Engine::new(&self.codegen(kind)).map_err(refused)
    }

    /// Returns what compiled code depends on beside its source: this library, the engine, its settings, the machine.
    ///
    /// What one kind is compiled with follows from the options, as it does for the other.
    pub(crate) fn fingerprint(&self) -> Result<[u8; 32], ErrorKind> {
        if let Some(known) = self.fingerprint.get() {
            return Ok(*known);
        }
        let compiler = self.compiler(Kind::Plain)?;
        let mut print = Print(blake3::Hasher::new());
        (env!("CARGO_PKG_VERSION"), compiler.precompile_compatibility_hash()).hash(&mut print);
        Ok(*self.fingerprint.get_or_init(|| *print.0.finalize().as_bytes()))
    }

    /// Moves every engine's epoch by one tick, so that spinning guests look at their deadlines.
    pub(crate) fn beat(&self) {
        let made = self.plain.iter().chain(&self.concurrent).filter_map(OnceLock::get);
        made.for_each(|shard| shard.engine.increment_epoch());
    }

    /// What decides about the code; the same for every engine of a kind, so that artifacts fit all of them.
    fn codegen(&self, kind: Kind) -> wasmtime::Config {
        let mut config = wasmtime::Config::new();
        config
            .epoch_interruption(true)
            .consume_fuel(self.options.fuel)
            .concurrency_support(kind == Kind::Concurrent)
            // Each call that waits would keep a stack: see `STACKS_OF_A_PLACE`.
            .wasm_component_model_async_stackful(false)
            .wasm_component_model_threading(false)
            .wasm_gc(false)
            .wasm_memory64(false)
            .shared_memory(false)
            .wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Disable)
            .native_unwind_info(false);
        if self.allocation == Allocation::OnDemand {
            config.memory_reservation(SMALL_RESERVATION).memory_reservation_for_growth(0);
        }
        config
    }

    fn config(&self, kind: Kind) -> wasmtime::Config {
        let mut config = self.codegen(kind);
        if self.allocation == Allocation::Pooled {
            config.allocation_strategy(self.pool(kind));
        }
        config
    }

    fn pool(&self, kind: Kind) -> wasmtime::PoolingAllocationConfig {
        let places = self.options.places;
        let stacks = match kind {
            Kind::Plain => places,
            Kind::Concurrent => places.saturating_mul(STACKS_OF_A_PLACE),
        };
        let mut pool = wasmtime::PoolingAllocationConfig::new();
        // Instances are mere counters; memories, tables and stacks are address space.
        pool.total_core_instances(u32::MAX)
            .total_component_instances(u32::MAX)
            .max_core_instances_per_component(u32::MAX)
            .max_memories_per_component(u32::MAX)
            .max_tables_per_component(places.saturating_mul(TABLES_OF_A_PLACE))
            // The engine's own defaults: what instances take beside their memories is metered by nothing else.
            .max_core_instance_size(1 << 20)
            .max_component_instance_size(1 << 20)
            .total_memories(places)
            .total_tables(places.saturating_mul(TABLES_OF_A_PLACE))
            .total_stacks(stacks)
            .total_gc_heaps(places)
            // One of each is the default and refuses standard modules.
            .max_memories_per_module(4)
            .max_tables_per_module(TABLES_OF_A_PLACE)
            .table_elements(self.options.table_elements as usize)
            .linear_memory_keep_resident(self.keep_resident())
            .table_keep_resident(64 << 10)
            .pagemap_scan(wasmtime::Enabled::Auto);
        pool
    }

    /// What is kept is kept for every slot ever used, until the engine goes: at most an eighth of the bound.
    fn keep_resident(&self) -> usize {
        let slots = self.options.places as usize * self.shards();
        let share = usize::try_from(self.options.memory / 8).unwrap_or(usize::MAX) / slots.max(1);
        KEEP_RESIDENT.min(share)
    }
}

/// Turns what can be hashed into bytes that are the same in every process.
struct Print(blake3::Hasher);

impl Hasher for Print {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

fn shards(options: &EngineOptions) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut shards = options.shards.unwrap_or_else(|| cores.min(MOST_SHARDS)).max(1);
    while shards > 1 && shards * 2 * options.places as usize > MOST_PLACES {
        shards /= 2;
    }
    shards
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` wants")]
fn refused(error: wasmtime::Error) -> ErrorKind {
    ErrorKind::Engine { reason: format!("an engine cannot be made: {error:#}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::artifact::{Artifact, Shape};

    fn options(places: u32, shards: usize) -> EngineOptions {
        EngineOptions { places, table_elements: 20_000, memory: 1 << 30, fuel: false, shards: Some(shards) }
    }

    #[test]
    fn shards_are_halved_until_all_places_fit() {
        assert_eq!(shards(&options(1_000, 8)), 8);
        assert_eq!(shards(&options(1_001, 8)), 4);
        assert_eq!(shards(&options(15_000, 8)), 1);
    }

    #[test]
    fn code_compiled_apart_fits_every_shard_of_its_kind() {
        let engines = Engines::new(options(8, 2)).unwrap();
        for kind in [Kind::Plain, Kind::Concurrent] {
            let compiler = engines.compiler(kind).unwrap();
            let code = Artifact::compile(&compiler, Shape::Module, b"\0asm\x01\0\0\0").unwrap();
            let code = Artifact::of_bytes(code);
            for lane in 0..2 {
                code.load(Shape::Module, &engines.shard(kind, lane).unwrap().engine).unwrap();
            }
        }
    }
}
