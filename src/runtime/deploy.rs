//! How a function becomes a version.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::admission::{Amount, Gate};
use crate::context::Facts;
use crate::delivery::Policy;
use crate::errand;
use crate::error::{Error, ErrorKind};
use crate::event::Response;
use crate::function::{Function, Source};
use crate::invoke::Deployment;
use crate::invoke::native::{Native, NativeCallee};
use crate::lane;
#[cfg(feature = "http")]
use crate::outbound::Outbound;
use crate::pool::{Pool, Tally};
use crate::registry::Taken;
use crate::runtime::core::{Code, Core};
use crate::runtime::develop::{self, surroundings, while_wanted};
use crate::wasm::{Contract, Developed, Origin, Sandbox, Snapshot};
#[cfg(feature = "http")]
use crate::wasm::{Found, Surroundings};

/// What a deployment came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Deployed {
    name: String,
    version: u64,
    contract: Contract,
    hash: Option<String>,
    origin: Origin,
    compile_time: Duration,
    snapshot: Snapshot,
    warm_ups: Vec<Response>,
}

impl Deployed {
    /// Returns the function's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the version's number.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns the contract that the code was found to speak.
    pub fn contract(&self) -> Contract {
        self.contract
    }

    /// Returns the BLAKE3 hash of the binary code, in hexadecimal; none for native handlers.
    pub fn hash(&self) -> Option<&str> {
        self.hash.as_deref()
    }

    /// Returns where the compiled code came from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Returns how long it took to compile, or to find what was compiled before, with init and samples where they
    /// ran; zero for native handlers.
    pub fn compile_time(&self) -> Duration {
        self.compile_time
    }

    /// Returns what became of the snapshot: whether init ran now, and if it could not, why.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Returns what the samples of [`Function::warm_up`] were answered, each with its report.
    pub fn warm_ups(&self) -> &[Response] {
        &self.warm_ups
    }
}

pub(super) async fn deploy(core: &Arc<Core>, function: Function) -> Result<Deployed, Error> {
    if core.is_closed() {
        return Err(ErrorKind::ShuttingDown.into());
    }
    function.check(core.fuel, core.table_elements)?;
    if let Source::Native(native) = &function.source {
        let native = native.clone();
        return insert_native(core, &function, native);
    }
    let (function, developed) = prepare(core, function).await?;
    insert_wasm(core, function, developed)
}

/// Finds or compiles the program on a thread of its own, of which only so many work at a time.
async fn prepare(core: &Arc<Core>, function: Function) -> Result<(Function, Developed), Error> {
    let Ok(permit) = core.deployers.take(Amount::one()).await else {
        return Err(ErrorKind::ShuttingDown.into());
    };
    let permit = Permit { core: Arc::clone(core), amount: permit.keep() };
    let (name, lane, host) = (function.name.clone(), lane::home(), Handle::try_current().ok());
    let work = move |wanted: &mut errand::Wanted<_>| {
        let core = Arc::clone(&permit.core);
        let developed = while_wanted(wanted, host.as_ref(), develop::prepare(&core, &function, lane));
        drop(permit);
        drop(core);
        developed.map(|developed| developed.map(|developed| (function, developed)))
    };
    let panicked = || ErrorKind::Compile {
        function: name,
        message: "the compiler panicked; report it with the code".into(),
    };
    errand::run_while_wanted("fnhost-compile", work).await?.ok_or_else(panicked)?
}

/// One deployment's permit, held by its thread.
struct Permit {
    core: Arc<Core>,
    amount: Amount,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.core.deployers.give_back(self.amount);
    }
}

fn insert_wasm(core: &Arc<Core>, function: Function, developed: Developed) -> Result<Deployed, Error> {
    let Developed { mut found, snapshot, warm_ups } = developed;
    let mapped = found.mapped.take();
    let (contract, origin, compile_time) = (found.program.findings().contract, found.origin, found.took);
    let hash = Some(found.hash.to_hex().to_string());
    let surroundings = surroundings(core, &found)?;
    #[cfg(feature = "http")]
    let surroundings = Surroundings { outbound: outbound(&function, &found)?, ..surroundings };
    let pool = Pool::new(Arc::clone(&core.keeper), function.keep(), core.engines.shards());
    let mut made = None;
    let make = |facts: &Facts| {
        let (vault, recipe, facts) =
            (Arc::clone(&core.vault), function.recipe.clone(), Arc::new(facts.clone()));
        let sandbox = Arc::new(Sandbox::new(vault, found, recipe, facts, (surroundings, pool)));
        made = Some(Arc::clone(&sandbox));
        Code::Wasm(sandbox)
    };
    let version = insert(core, &function, hash.as_deref(), make)?;
    // Only what can be reached is worth making ready.
    if let Some(sandbox) = made {
        sandbox.adopt(mapped);
        sandbox.prepare();
    }
    let name = function.name;
    Ok(Deployed { name, version, contract, hash, origin, compile_time, snapshot, warm_ups })
}

/// Makes what sends the requests of a function's guests, if its code can make any.
#[cfg(feature = "http")]
fn outbound(function: &Function, found: &Found) -> Result<Option<Outbound>, Error> {
    if !found.program.findings().imports_outbound {
        return Ok(None);
    }
    let outbound = Outbound::new(function.recipe.outbound.clone());
    outbound.map(Some).map_err(|reason| Error::configuration(format!("{:?}: {reason}", function.name)))
}

fn insert_native(core: &Arc<Core>, function: &Function, native: Native) -> Result<Deployed, Error> {
    let make = |_: &Facts| {
        Code::Native(NativeCallee {
            native,
            limits: function.limits().clone(),
            face: Arc::clone(&core.desk.face),
            tally: Tally::new(core.engines.shards()),
        })
    };
    let version = insert(core, function, None, make)?;
    let name = function.name.clone();
    Ok(Deployed {
        name,
        version,
        contract: Contract::Native,
        hash: None,
        origin: Origin::Native,
        compile_time: Duration::ZERO,
        snapshot: Snapshot::None,
        warm_ups: Vec::new(),
    })
}

fn insert(
    core: &Core,
    function: &Function,
    hash: Option<&str>,
    make: impl FnOnce(&Facts) -> Code,
) -> Result<u64, Error> {
    let deployment = |version| {
        let (name, memory_limit) = (function.name.clone(), function.limits().memory);
        let facts = Facts { name, version, memory_limit, hash: hash.map(Into::into) };
        Deployment {
            callee: make(&facts),
            facts: (0..core.engines.shards()).map(|_| Arc::new(facts.clone())).collect(),
            limits: function.limits().clone(),
            gate: Gate::new(Amount::new(function.concurrency, 0), function.queue),
            max_waiting: function.queue,
            policy: Arc::new(Policy {
                concurrency: function.concurrency as usize,
                ..function.policy.clone()
            }),
        }
    };
    match core.registry.insert(&function.name, function.version, deployment) {
        Ok((version, _)) => {
            core.delivery.deployed(&function.name);
            Ok(version)
        }
        Err(Taken::Closed) => Err(ErrorKind::ShuttingDown.into()),
        Err(Taken::Version(version)) => Err(Error::configuration(format!(
            "version {version} of {:?} was given before; give a higher one, or none",
            function.name
        ))),
    }
}
