//! The one place that sets up the library: how a guest is deployed for each way to start.

use std::path::Path;
use std::time::{Duration, Instant};

use fnhost::{
    Bytes, Context, Contract, Failure, Function, Handler, Init, Isolation, Origin, Runtime, Snapshot,
};

use crate::Problem;
use crate::cases::Case;
use crate::machine::cores;

/// What a guest may have here; larger ones exist, and are told so by the library.
const MEMORY: u64 = 512 << 20;
const CODE: u64 = 256 << 20;
/// No guest is stopped for being slow, only for hanging.
const TIMEOUT: Duration = Duration::from_secs(30);
/// With pauses between events, few need to stand ready.
const PREPARED: u32 = 8;
/// The one host function that a guest of the repository asks for.
const LOOKUP: &str = "price.lookup";

/// How sandboxes come to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A new one for each event, without any snapshot.
    Plain,
    /// From a snapshot taken after init.
    Init,
    /// From a snapshot taken after a sample event.
    Warm,
    /// A new one for each event, made beforehand.
    Prepared,
    /// Both.
    PreparedWarm,
    /// One for many events.
    Reused,
}

impl Way {
    pub(crate) fn wants_snapshot(self) -> bool {
        matches!(self, Self::Init | Self::Warm | Self::PreparedWarm)
    }
}

/// What became of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Nothing,
    Taken,
    Refused(String),
}

impl Kept {
    fn of(snapshot: &Snapshot) -> Self {
        match snapshot {
            Snapshot::None => Self::Nothing,
            Snapshot::Taken { .. } => Self::Taken,
            Snapshot::Refused { reason, .. } => Self::Refused(reason.clone()),
            other => Self::Refused(other.to_string()),
        }
    }
}

/// A guest deployed in a runtime of its own.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) handler: Handler,
    pub(crate) contract: Contract,
    pub(crate) kept: Kept,
    /// Whether the code came from the cache.
    pub(crate) was_loaded: bool,
    /// How long making the runtime took.
    pub(crate) runtime_took: Duration,
    /// How long deploying took.
    pub(crate) deploy_took: Duration,
    // The handler answers only as long as its runtime is there.
    _runtime: Runtime,
}

impl Subject {
    /// Deploys with a cache in a place, which may be empty.
    pub(crate) fn deploy(case: &Case, way: Way, place: &Path) -> Result<Self, Problem> {
        let started = Instant::now();
        // The library makes the cache's folder itself, for this user alone.
        let builder = Runtime::builder().cache_dir(place.join("cache"));
        let runtime = builder.places(64 + 2 * cores() as u32).build()?;
        let runtime_took = started.elapsed();
        let function = function(case, way);
        let started = Instant::now();
        let deployed = runtime.block_on(runtime.deploy(function))?;
        Ok(Self {
            deploy_took: started.elapsed(),
            runtime_took,
            handler: runtime.handler(deployed.name())?,
            contract: deployed.contract(),
            kept: Kept::of(deployed.snapshot()),
            was_loaded: deployed.origin() == Origin::Loaded,
            _runtime: runtime,
        })
    }
}

fn function(case: &Case, way: Way) -> Function {
    let function = Function::wasm_file("guest", &case.path)
        .memory(MEMORY)
        .max_code(CODE)
        .timeout(TIMEOUT)
        .init_timeout(TIMEOUT)
        .concurrency(1_000);
    let function = match case.name.as_str() {
        // A command is refused when it is granted what it cannot call, so only who asks gets it.
        "plugin-good" => function.grant(LOOKUP, price).stand_in(LOOKUP, price),
        _ => function,
    };
    let event = || case.event.clone();
    match way {
        Way::Plain => function.init(Init::PerGuest),
        Way::Init => function,
        Way::Warm => function.warm_up(event()),
        Way::Prepared => function.init(Init::PerGuest).prepared(PREPARED),
        Way::PreparedWarm => function.warm_up(event()).prepared(PREPARED),
        Way::Reused => function.init(Init::PerGuest).isolation(Isolation::Reuse { max_uses: u64::MAX }),
    }
}

/// What the shop of the repository's plug-ins answers.
async fn price(_: Bytes, _: Context) -> Result<Bytes, Failure> {
    Ok(Bytes::from_static(br#"{"unit_cents":250}"#))
}
