//! How a runtime is made.

use std::fmt;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::admission::{Amount, Gate};
use crate::broker::Broker;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::delivery::{DELIVERIES, Delivery};
use crate::error::{Error, ErrorKind};
use crate::invoke::Desk;
use crate::limits::{MIB, PAGE};
use crate::pool::{Keeper, Stagehand};
use crate::registry::Registry;
use crate::report::{Observer, Report};
use crate::runtime::Runtime;
use crate::runtime::core::Core;
use crate::runtime::triggers::Triggers;
use crate::wall::{ManualClock, Wall};
use crate::wasm::{EngineOptions, Engines, Io, Mappings, Vault};

/// Deployments at a time; most of them read a file, and only two of them compile.
const DEPLOYERS: u32 = 8;
/// The cache folder's bound unless set.
const CACHE_SIZE: u64 = 4096 * MIB;
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
    cache_dir: Option<PathBuf>,
    cache_size: u64,
    loaded: Option<usize>,
    unload_after: Duration,
    observers: Vec<Observer>,
    broker: Broker,
    deliveries: usize,
    clock: Option<ManualClock>,
}

impl RuntimeBuilder {
    pub(crate) fn new() -> Self {
        Self {
            places: 1_000,
            memory: None,
            table_elements: 20_000,
            fuel: false,
            shards: None,
            cache_dir: None,
            cache_size: CACHE_SIZE,
            loaded: None,
            unload_after: Duration::from_secs(600),
            observers: Vec::new(),
            broker: Broker::memory(),
            deliveries: DELIVERIES,
            clock: None,
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

    /// Sets how many engines share the work; one for each core, at most 8, unless set. There are fewer where the
    /// address space cannot hold `places` for each: the number is halved until it can.
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = Some(shards);
        self
    }

    /// Keeps compiled code in a folder, so that the same code is never compiled twice; none is used unless set.
    ///
    /// It is for the cache alone. It is made if it is not there, with mode 700; one that belongs to another user, or that others may
    /// reach, is refused. Whoever may write to it decides what this process runs. Several processes may share
    /// it. What does not verify, byte for byte, is compiled again.
    ///
    /// ```no_run
    /// let runtime = fnhost::Runtime::builder().cache_dir("/var/cache/my-service/functions").build()?;
    /// # Ok::<(), fnhost::Error>(())
    /// ```
    pub fn cache_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.cache_dir = Some(dir.into());
        self
    }

    /// Sets how much the cache folder may hold, in bytes; 4 GiB unless set. What was used longest ago goes first,
    /// but nothing that this runtime has deployed.
    pub fn cache_size(mut self, bytes: u64) -> Self {
        self.cache_size = bytes;
        self
    }

    /// Sets how many programs may stay mapped, where one that is mapped on two shards counts twice; a quarter of what the process may open
    /// and map unless set.
    ///
    /// Past it the one that was idle longest goes, and comes back with its next event, as [`Start::Cold`].
    ///
    /// [`Start::Cold`]: crate::Start::Cold
    pub fn loaded(mut self, most: usize) -> Self {
        self.loaded = Some(most);
        self
    }

    /// Sets after what time without an event a program is unmapped; 10 minutes unless set. Without a cache folder
    /// none is.
    pub fn unload_after(mut self, time: Duration) -> Self {
        self.unload_after = time;
        self
    }

    /// Adds somebody who hears the report of every event; a panic in it harms nobody.
    ///
    /// It is called on the thread that ends the event, before the answer is handed over.
    pub fn observer(mut self, observer: impl Fn(&Report) + Send + Sync + 'static) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// Sets where submitted events are kept; in memory unless set.
    pub fn broker(mut self, broker: Broker) -> Self {
        self.broker = broker;
        self
    }

    /// Sets how many submitted events are delivered at once, of all functions together; 256 unless set.
    pub fn deliveries(mut self, most: usize) -> Self {
        self.deliveries = most;
        self
    }

    /// Sets a time of day that is moved by hand, for tests of retries and schedules; the system's unless set.
    ///
    /// The limits of a running invocation keep to real time.
    pub fn clock(mut self, clock: &ManualClock) -> Self {
        self.clock = Some(clock.clone());
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
        let cache = self.cache_dir.as_deref().map(|dir| Cache::open(dir, self.cache_size)).transpose();
        let cache = cache.map_err(Error::configuration)?.map(Arc::new);
        let engines = Arc::new(Engines::new(options)?);
        let beating = Arc::clone(&engines);
        let clock = Clock::start(engines.shards(), move || beating.beat()).map_err(|error| {
            ErrorKind::Engine { reason: format!("the clock's thread cannot start: {error}") }
        })?;
        let room = Arc::new(Gate::new(Amount::new(self.places, memory / PAGE), usize::MAX));
        let mappings = Mappings::new(self.loaded, cache.is_some().then_some(self.unload_after));
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let keeper = Keeper::new(Arc::clone(&room), Stagehand::new(Arc::clone(clock.face()), cores));
        keeper.mind(Arc::downgrade(&mappings) as _);
        let wall = match self.clock {
            Some(clock) => Wall::Manual(clock),
            None => Wall::System(Arc::clone(clock.face())),
        };
        let store = self.broker.open(wall.clone())?;
        let hands = (engines.shards(), self.deliveries);
        Ok(Runtime::from_core(Arc::new_cyclic(|me: &Weak<Core>| Core {
            delivery: Delivery::new((store, wall), Weak::clone(me) as _, hands),
            triggers: Triggers::default(),
            desk: Desk {
                face: Arc::clone(clock.face()),
                observers: self.observers,
                closed: AtomicBool::new(false),
            },
            registry: Registry::new(engines.shards()),
            vault: Arc::new(Vault::new(Arc::clone(&engines), mappings, cache)),
            keeper,
            io: Io::new(Arc::clone(clock.face())),
            deployers: Gate::new(Amount::new(DEPLOYERS, 0), usize::MAX),
            fuel: self.fuel,
            table_elements: self.table_elements,
            engines,
            room,
            clock,
        })))
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
        if self.deliveries == 0 {
            return Err(Error::configuration("deliveries is 0; give at least 1"));
        }
        if self.loaded == Some(0) {
            return Err(Error::configuration("loaded is 0; give at least 1"));
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
