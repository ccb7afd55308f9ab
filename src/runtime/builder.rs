//! How a runtime is made.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::admission::{Amount, Gate};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::invoke::Desk;
use crate::limits::{MIB, PAGE};
use crate::pool::{Keeper, Stagehand};
use crate::registry::Registry;
use crate::report::{Observer, Report};
use crate::runtime::Runtime;
use crate::runtime::core::Core;
use crate::wasm::{EngineOptions, Engines, Io};

/// Compilations at a time: one would let a large one hold up all others, more would take the machine.
const COMPILERS: u32 = 2;
/// As many places as the address space holds in one shard of both kinds.
const MOST_PLACES: u32 = 8_000;
/// What is assumed of a machine that does not tell.
const SOME_MEMORY: u64 = 4096 * MIB;

/// How a runtime is made; see [`Runtime::builder`].
///
/// ```
/// let runtime = fnhost::Runtime::builder()
///     .places(100)
///     .memory(1 << 30)
///     .observer(|report| println!("{report}"))
///     .build()?;
/// assert_eq!(runtime.stats().places, 100);
/// # Ok::<(), fnhost::Error>(())
/// ```
#[must_use = "a builder does nothing until `build`"]
pub struct RuntimeBuilder {
    places: u32,
    memory: Option<u64>,
    table_elements: u32,
    fuel: bool,
    shards: Option<usize>,
    observers: Vec<Observer>,
}

impl RuntimeBuilder {
    pub(crate) fn new() -> Self {
        Self {
            places: 1_000,
            memory: None,
            table_elements: 20_000,
            fuel: false,
            shards: None,
            observers: Vec::new(),
        }
    }

    /// Sets how many linear memories all sandboxes may have together; 1,000 unless set, at most 8,000.
    ///
    /// Most sandboxes have one, some JavaScript engines two or three.
    pub fn places(mut self, places: u32) -> Self {
        self.places = places;
        self
    }

    /// Sets how much linear memory all sandboxes may have together, in bytes; three quarters of the machine's
    /// (or its control group's) unless set.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Sets how many elements a function may allow for one table; 20,000 unless set.
    pub fn table_elements(mut self, most: u32) -> Self {
        self.table_elements = most;
        self
    }

    /// Switches fuel metering on, which makes all code 2 to 20 % slower; off unless set.
    pub fn fuel(mut self, metered: bool) -> Self {
        self.fuel = metered;
        self
    }

    /// Sets how many engines share the work; one for each core, at most 8, unless set.
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = Some(shards);
        self
    }

    /// Adds somebody who hears the report of every event; a panic in it harms nobody.
    ///
    /// It is called on the thread that ends the event, before the answer is handed over.
    pub fn observer(mut self, observer: impl Fn(&Report) + Send + Sync + 'static) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// Makes the runtime: one thread and one engine now, the rest when it is needed.
    ///
    /// # Errors
    ///
    /// Invalid configuration, or the system refuses a thread or even an engine without pooled memory.
    pub fn build(self) -> Result<Runtime, Error> {
        let memory = self.memory.unwrap_or_else(default_memory);
        self.check(memory)?;
        let options = EngineOptions {
            places: self.places,
            table_elements: self.table_elements,
            memory,
            fuel: self.fuel,
            shards: self.shards,
        };
        let engines = Arc::new(Engines::new(options)?);
        let beating = Arc::clone(&engines);
        let clock = Clock::start(engines.shards(), move || beating.beat()).map_err(|error| {
            ErrorKind::Engine { reason: format!("the clock's thread cannot start: {error}") }
        })?;
        let room = Arc::new(Gate::new(Amount::new(self.places, memory / PAGE), usize::MAX));
        Ok(Runtime::from_core(Core {
            desk: Desk {
                face: Arc::clone(clock.face()),
                observers: self.observers,
                closed: AtomicBool::new(false),
            },
            registry: Registry::new(engines.shards()),
            keeper: Keeper::new(Arc::clone(&room), Stagehand::new(Arc::clone(clock.face()))),
            io: Io::new(Arc::clone(clock.face())),
            compilers: Gate::new(Amount::new(COMPILERS, 0), usize::MAX),
            fuel: self.fuel,
            table_elements: self.table_elements,
            engines,
            room,
            clock,
        }))
    }

    fn check(&self, memory: u64) -> Result<(), Error> {
        if !(1..=MOST_PLACES).contains(&self.places) {
            return Err(Error::configuration(format!("places is {}; give 1 to {MOST_PLACES}", self.places)));
        }
        if memory < MIB {
            return Err(Error::configuration(format!("memory is {memory} bytes; give at least {MIB}")));
        }
        if self.shards == Some(0) {
            return Err(Error::configuration("shards is 0; give at least 1"));
        }
        if !(1..=10_000_000).contains(&self.table_elements) {
            let reason = format!("table_elements is {}; give 1 to 10,000,000", self.table_elements);
            return Err(Error::configuration(reason));
        }
        Ok(())
    }
}

impl fmt::Debug for RuntimeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeBuilder")
            .field("places", &self.places)
            .field("memory", &self.memory)
            .field("fuel", &self.fuel)
            .finish_non_exhaustive()
    }
}

/// Three quarters of what the machine has, or of what the control group may have if that is less.
fn default_memory() -> u64 {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
    });
    let group = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let group = group.iter().find_map(|path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    machine.into_iter().chain(group).min().unwrap_or(SOME_MEMORY) / 4 * 3
}
