//! How a function becomes a version.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::admission::{Amount, Gate};
use crate::context::Facts;
use crate::error::{Error, ErrorKind};
use crate::event::Response;
use crate::function::{Function, Source};
use crate::invoke::Deployment;
use crate::invoke::native::{Native, NativeCallee};
use crate::lane;
use crate::pool::{Pool, Tally};
use crate::registry::Taken;
use crate::runtime::core::{Code, Core};
use crate::runtime::develop::{prepare, surroundings, while_wanted};
use crate::wasm::{Contract, Developed, Sandbox, Snapshot};

/// The compiler recurses deeply on deeply nested code.
const COMPILER_STACK: usize = 8 << 20;

/// What a deployment came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Deployed {
    name: String,
    version: u64,
    contract: Contract,
    hash: Option<String>,
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

    /// Returns how long compiling and linking took; zero for native handlers.
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
    let (function, developed) = compile(core, function).await?;
    insert_wasm(core, function, developed)
}

/// Compiles on a thread of its own, of which only so many work at a time.
async fn compile(core: &Arc<Core>, function: Function) -> Result<(Function, Developed), Error> {
    let one = Amount::new(1, 0);
    let Ok(permit) = core.compilers.take(one).await else { return Err(ErrorKind::ShuttingDown.into()) };
    let permit = Permit { core: Arc::clone(core), amount: permit.keep() };
    let (name, lane, host) = (function.name.clone(), lane::home(), Handle::try_current().ok());
    let (mut answer, compiled) = oneshot::channel();
    let work = move || {
        let core = Arc::clone(&permit.core);
        let developed = while_wanted(&mut answer, host.as_ref(), prepare(&core, &function, lane));
        drop(permit);
        drop(core);
        if let Some(developed) = developed {
            // Nobody listens when the deployment was dropped; then it is forgotten.
            let _ = answer.send(developed.map(|developed| (function, developed)));
        }
    };
    let thread = thread::Builder::new().name("fnhost-compile".into()).stack_size(COMPILER_STACK);
    thread.spawn(work).map_err(|error| ErrorKind::Engine {
        reason: format!("the compiler's thread cannot start: {error}"),
    })?;
    match compiled.await {
        Ok(developed) => developed,
        Err(_) => Err(ErrorKind::Compile {
            function: name,
            message: "the compiler panicked; report it with the code".into(),
        }
        .into()),
    }
}

/// One compilation's permit, held by its thread.
struct Permit {
    core: Arc<Core>,
    amount: Amount,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.core.compilers.give_back(self.amount);
    }
}

fn insert_wasm(core: &Arc<Core>, function: Function, developed: Developed) -> Result<Deployed, Error> {
    let Developed { program, snapshot, warm_ups } = developed;
    let surroundings = surroundings(core, &program)?;
    let (contract, hash, compile_time) =
        (program.contract(), program.hash().to_string(), program.compiled_in());
    let pool = Pool::new(Arc::clone(&core.keeper), function.keep(), core.engines.shards());
    let make = |facts: &Facts| {
        let (engines, recipe) = (Arc::clone(&core.engines), function.recipe.clone());
        Code::Wasm(Box::new(Sandbox::new(
            engines,
            program,
            recipe,
            Arc::new(facts.clone()),
            (surroundings, pool),
        )))
    };
    let version = insert(core, &function, make)?;
    let (name, hash) = (function.name, Some(hash));
    Ok(Deployed { name, version, contract, hash, compile_time, snapshot, warm_ups })
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
    let version = insert(core, function, make)?;
    let name = function.name.clone();
    Ok(Deployed {
        name,
        version,
        contract: Contract::Native,
        hash: None,
        compile_time: Duration::ZERO,
        snapshot: Snapshot::None,
        warm_ups: Vec::new(),
    })
}

fn insert(core: &Core, function: &Function, make: impl FnOnce(&Facts) -> Code) -> Result<u64, Error> {
    let deployment = |version| {
        let (name, memory_limit) = (function.name.clone(), function.limits().memory);
        let facts = Facts { name, version, memory_limit };
        Deployment {
            callee: make(&facts),
            facts: (0..core.engines.shards()).map(|_| Arc::new(facts.clone())).collect(),
            limits: function.limits().clone(),
            gate: Gate::new(Amount::new(function.concurrency, 0), function.queue),
            max_waiting: function.queue,
        }
    };
    match core.registry.insert(&function.name, function.version, deployment) {
        Ok((version, _)) => Ok(version),
        Err(Taken::Closed) => Err(ErrorKind::ShuttingDown.into()),
        Err(Taken::Version(version)) => Err(Error::configuration(format!(
            "version {version} of {:?} was given before; give a higher one, or none",
            function.name
        ))),
    }
}
