//! Code compiled once and linked on each shard when a thread first needs it there.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use wasmtime::component::Component;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use crate::admission::{Amount, Gate};
use crate::clock::Face;
use crate::context::Facts;
use crate::error::{ErrorKind, MemoryScope};
use crate::host::Grants;
use crate::limits::{Limits, PAGE};
use crate::wasm::artifact::{Artifact, Loaded, Shape};
use crate::wasm::contract::{Code, Contract};
use crate::wasm::engine::{Engines, Kind, TABLES_OF_A_PLACE};
use crate::wasm::fault::Refused;
use crate::wasm::linker;
use crate::wasm::monotonic::Monotonic;
use crate::wasm::survey::{Survey, to_binary};

/// The most random bytes that a guest gets in one call; more would take milliseconds that nothing interrupts.
const MAX_RANDOM: u64 = 1 << 20;

/// What a function is given, whatever its code.
#[derive(Clone, Default)]
pub(crate) struct Recipe {
    pub(crate) limits: Limits,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) dirs: Vec<Dir>,
    pub(crate) event_variables: bool,
    pub(crate) init_export: Option<String>,
    pub(crate) grants: Grants,
}

/// A folder that a function was granted.
#[derive(Clone, Debug)]
pub(crate) struct Dir {
    pub(crate) host: std::path::PathBuf,
    pub(crate) guest: String,
    pub(crate) writable: bool,
}

impl Recipe {
    /// Begins the part of WASI that the function was granted: clocks, randomness, its variables and folders.
    pub(crate) fn wasi(&self, name: &str) -> wasmtime::Result<WasiCtxBuilder> {
        let mut builder = WasiCtxBuilder::new();
        builder.monotonic_clock(Monotonic);
        builder.max_random_size(MAX_RANDOM).arg(name).args(&self.args).envs(&self.env);
        // No address passes, whatever the guest asks of its sockets.
        builder.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
        for dir in &self.dirs {
            let perms = if dir.writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            builder.preopened_dir(&dir.host, &dir.guest, perms).map_err(|error| {
                let host = dir.host.display();
                Refused::Missing(format!("granted folder {host} cannot be opened: {error:#}; put it back"))
            })?;
        }
        Ok(builder)
    }
}

/// Code compiled once.
pub(crate) struct Program {
    function: String,
    kind: Kind,
    artifact: Artifact,
    hash: String,
    compiled_in: Duration,
    /// Linked on each shard, when it is first needed there.
    codes: Box<[OnceLock<Arc<Code>>]>,
    contract: Contract,
    size: Size,
    imports_wasi: bool,
    is_quiet: bool,
    is_initialized: bool,
}

/// What one guest takes at first.
#[derive(Clone, Copy, Debug)]
struct Size {
    need: Amount,
    largest_memory: u64,
    largest_table: u64,
}

impl Program {
    /// Compiles and links; long work, for a thread of its own.
    pub(crate) fn compile(
        engines: &Engines,
        function: &str,
        code: &[u8],
        lane: usize,
    ) -> Result<Self, ErrorKind> {
        let started = Instant::now();
        let binary = to_binary(function, code)?;
        let survey = Survey::of(function, &binary)?;
        let (kind, artifact) = compile(engines, function, &survey, &binary)?;
        let shard = engines.shard(kind, lane)?;
        // What was compiled just now fails to load only when it wants more than the engine's pool offers.
        let loaded = load(&artifact, &shard.engine).map_err(|error| ErrorKind::Compile {
            function: function.into(),
            message: format!("it needs what this runtime does not offer: {error}"),
        })?;
        let first = Arc::new(Code::link(function, &loaded, shard)?);
        let codes: Box<[OnceLock<Arc<Code>>]> = (0..engines.shards()).map(|_| OnceLock::new()).collect();
        let contract = first.contract();
        codes[lane % codes.len()].get_or_init(|| first);
        Ok(Self {
            function: function.into(),
            kind,
            artifact,
            hash: blake3::hash(&binary).to_hex().to_string(),
            compiled_in: started.elapsed(),
            codes,
            contract,
            size: size(function, &loaded, &survey)?,
            imports_wasi: imports_wasi(&loaded),
            is_quiet: !survey.starts && imports_nothing_async(&loaded),
            is_initialized: false,
        })
    }

    /// Says that this is the snapshot of another program, whose init has run.
    pub(crate) fn stand_for(mut self, original: &[u8]) -> Self {
        self.is_initialized = true;
        self.hash = blake3::hash(original).to_hex().to_string();
        self
    }

    /// Adds the time that went into what this program was made of.
    pub(crate) fn add_compile_time(&mut self, time: Duration) {
        self.compiled_in += time;
    }

    /// Returns the code as a shard has it, mapped now if no event needed it there before.
    pub(crate) fn code(&self, engines: &Engines, lane: usize) -> Result<Mapped, ErrorKind> {
        let shard = engines.shard(self.kind, lane)?;
        let code = &self.codes[lane % self.codes.len()];
        let engine = shard.engine.clone();
        if let Some(code) = code.get() {
            return Ok(Mapped { code: Arc::clone(code), engine, anew: false });
        }
        let loaded = load(&self.artifact, &shard.engine)?;
        let linked = Arc::new(Code::link(&self.function, &loaded, shard)?);
        Ok(Mapped { code: Arc::clone(code.get_or_init(|| linked)), engine, anew: true })
    }

    /// Checks what the function asks of its code.
    pub(crate) fn check_init(&self, export: &str) -> Result<(), ErrorKind> {
        let code = self.codes.iter().find_map(OnceLock::get);
        let checked = code.map_or(Ok(()), |code| code.check_init(export));
        checked.map_err(|reason| ErrorKind::InvalidConfiguration { reason })
    }

    pub(crate) fn contract(&self) -> Contract {
        self.contract
    }

    pub(crate) fn hash(&self) -> &str {
        &self.hash
    }

    pub(crate) fn compiled_in(&self) -> Duration {
        self.compiled_in
    }

    pub(crate) fn imports_wasi(&self) -> bool {
        self.imports_wasi
    }

    /// Tells whether its guests start where an init has ended.
    pub(crate) fn is_initialized(&self) -> bool {
        self.is_initialized
    }

    /// Tells whether nothing of the guest's runs, and nothing is waited for, while an instance is made.
    pub(crate) fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// Returns what one guest takes at first: places, and at most so many pages.
    pub(crate) fn need(&self) -> Amount {
        self.size.need
    }

    /// Checks the first size of memories and tables against the limits.
    pub(crate) fn check_limits(&self, limits: &Limits, total: Amount) -> Result<(), ErrorKind> {
        let Size { need, largest_memory, largest_table } = self.size;
        let asked = largest_memory.saturating_mul(PAGE);
        if asked > limits.memory {
            return Err(ErrorKind::MemoryExceeded {
                scope: MemoryScope::Function,
                limit: limits.memory,
                asked,
            });
        }
        let limit = limits.table_elements.into();
        if largest_table > limit {
            return Err(ErrorKind::TableExceeded { limit, asked: largest_table });
        }
        if need.units() <= total.units() && largest_memory <= total.pages() {
            return Ok(());
        }
        let reason = format!(
            "a guest of {:?} needs {} places and {} bytes of memory, the runtime has {} and {}; raise `places` or \
             `memory` of the runtime",
            self.function,
            need.units(),
            largest_memory.saturating_mul(PAGE),
            total.units(),
            total.pages() * PAGE
        );
        Err(ErrorKind::InvalidConfiguration { reason })
    }
}

/// A program's code as one shard has it.
pub(crate) struct Mapped {
    pub(crate) code: Arc<Code>,
    pub(crate) engine: wasmtime::Engine,
    /// It was mapped just now.
    pub(crate) anew: bool,
}

/// A function's code on one shard, with all that its guests need to know.
///
/// Everything that is counted by reference is counted here once for each shard, so that threads of different
/// shards never write to the same count.
pub(crate) struct Linked {
    pub(crate) code: Arc<Code>,
    pub(crate) engine: wasmtime::Engine,
    pub(crate) recipe: Arc<Recipe>,
    pub(crate) facts: Arc<Facts>,
    pub(crate) face: Arc<Face>,
    pub(crate) room: Arc<Gate>,
    pub(crate) imports_wasi: bool,
    /// An instance can be made without a fiber.
    pub(crate) is_quiet: bool,
    /// It is a snapshot: what init did is in its memories, and must not be done again.
    pub(crate) is_initialized: bool,
    pub(crate) fuel: bool,
}

impl Linked {
    /// Returns the host's async runtime, if there is one here and something of the host may be called.
    pub(crate) fn host(&self) -> Option<tokio::runtime::Handle> {
        if self.recipe.grants.is_empty() { None } else { tokio::runtime::Handle::try_current().ok() }
    }
}

fn compile(
    engines: &Engines,
    function: &str,
    survey: &Survey,
    binary: &[u8],
) -> Result<(Kind, Artifact), ErrorKind> {
    let with = |kind| {
        Artifact::compile(&engines.compiler(kind)?, survey.shape, binary)
            .map_err(|error| ErrorKind::Compile { function: function.into(), message: format!("{error:#}") })
    };
    match with(Kind::Plain) {
        Ok(artifact) => Ok((Kind::Plain, artifact)),
        // A component that uses the component model's concurrency validates only where that is on. What is
        // wrong with any other code the first attempt has said.
        Err(plain) if survey.shape == Shape::Component => {
            with(Kind::Concurrent).map(|artifact| (Kind::Concurrent, artifact)).map_err(|_| plain)
        }
        Err(plain) => Err(plain),
    }
}

fn load(artifact: &Artifact, engine: &wasmtime::Engine) -> Result<Loaded, ErrorKind> {
    artifact
        .load(engine)
        .map_err(|error| ErrorKind::Engine { reason: format!("compiled code cannot be loaded: {error:#}") })
}

fn imports_wasi(loaded: &Loaded) -> bool {
    match loaded {
        Loaded::Module(module) => module.imports().any(|import| linker::needs_wasi(import.module())),
        Loaded::Component(component) => imported(component).iter().any(|name| linker::needs_wasi(name)),
    }
}

/// Tells whether everything imported answers at once, so that the engine needs no fiber for an instance.
fn imports_nothing_async(loaded: &Loaded) -> bool {
    match loaded {
        Loaded::Module(module) => {
            module.imports().all(|import| import.module() == "fnhost" && import.name() != "call")
        }
        Loaded::Component(component) => imported(component).iter().all(|name| {
            name.starts_with("fnhost:function/types@")
                || name.starts_with("fnhost:function/context@")
                || name == linker::LOGGING
        }),
    }
}

fn imported(component: &Component) -> Vec<String> {
    component.component_type().imports(component.engine()).map(|(name, _)| name.into()).collect()
}

fn size(function: &str, loaded: &Loaded, survey: &Survey) -> Result<Size, ErrorKind> {
    let required = match loaded {
        Loaded::Module(module) => module.resources_required(),
        Loaded::Component(component) => {
            component.resources_required().ok_or_else(|| ErrorKind::InvalidConfiguration {
                reason: format!(
                    "{function:?} imports modules or components, so its size is unknown; link it whole"
                ),
            })?
        }
    };
    let largest_memory = required.max_initial_memory_size.unwrap_or(0);
    // A guest without memory takes a place all the same: it has a stack and tables.
    let tables = required.num_tables.div_ceil(TABLES_OF_A_PLACE);
    let places = required.num_memories.max(tables).max(1) + u32::from(survey.uses_heap);
    let pages = largest_memory.saturating_mul(required.num_memories.into());
    let largest_table = required.max_initial_table_size.unwrap_or(0);
    Ok(Size { need: Amount::new(places, pages), largest_memory, largest_table })
}
