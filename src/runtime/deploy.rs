//! How a function becomes a version.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::admission::{Amount, Gate};
use crate::context::Facts;
use crate::error::{Error, ErrorKind, Payload};
use crate::function::{Function, Source};
use crate::invoke::Deployment;
use crate::invoke::native::{Native, NativeCallee};
use crate::lane;
use crate::pool::{Pool, Tally};
use crate::registry::Taken;
use crate::runtime::core::{Code, Core};
use crate::wasm::{Contract, Program, Sandbox, Surroundings};

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
}

pub(super) async fn deploy(core: &Arc<Core>, mut function: Function) -> Result<Deployed, Error> {
    if core.is_closed() {
        return Err(ErrorKind::ShuttingDown.into());
    }
    function.check(core.fuel, core.table_elements)?;
    let source = match &mut function.source {
        Source::Native(native) => {
            let native = native.clone();
            return insert_native(core, &function, native);
        }
        Source::Code(code) => Source::Code(std::mem::take(code)),
        Source::File(path) => Source::File(std::mem::take(path)),
    };
    let program = compile(core, &function, source).await?;
    function.check_contract(program.contract())?;
    if let Some(export) = &function.recipe.init_export {
        program.check_init(export)?;
    }
    program.check_limits(function.limits(), core.room.total())?;
    function.check_prepared(program.need(), core.room.total())?;
    insert_wasm(core, function, program)
}

/// Compiles on a thread of its own, of which only so many work at a time.
async fn compile(core: &Arc<Core>, function: &Function, source: Source) -> Result<Program, Error> {
    let one = Amount::new(1, 0);
    let Ok(permit) = core.compilers.take(one).await else { return Err(ErrorKind::ShuttingDown.into()) };
    let permit = Permit { core: Arc::clone(core), amount: permit.keep() };
    let (name, max_code, lane) = (function.name.clone(), function.limits().code, lane::home());
    let (answer, compiled) = oneshot::channel();
    let work = move || {
        let core = Arc::clone(&permit.core);
        let program =
            read(&source, max_code).and_then(|code| Program::compile(&core.engines, &name, &code, lane));
        drop(permit);
        drop(core);
        // Nobody listens when the deployment was dropped; then it is forgotten.
        let _ = answer.send(program);
    };
    let thread = thread::Builder::new().name("fnhost-compile".into()).stack_size(COMPILER_STACK);
    thread.spawn(work).map_err(|error| ErrorKind::Engine {
        reason: format!("the compiler's thread cannot start: {error}"),
    })?;
    match compiled.await {
        Ok(program) => Ok(program?),
        Err(_) => Err(ErrorKind::Compile {
            function: function.name.clone(),
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

fn read(source: &Source, limit: u64) -> Result<Bytes, ErrorKind> {
    let code = match source {
        Source::Code(code) => code.clone(),
        Source::File(path) => read_file(path, limit)?,
        Source::Native(_) => Bytes::new(),
    };
    let size = code.len() as u64;
    if size > limit {
        return Err(ErrorKind::PayloadTooLarge { what: Payload::Code, limit, size });
    }
    Ok(code)
}

/// Reads no more than one byte too many.
fn read_file(path: &Path, limit: u64) -> Result<Bytes, ErrorKind> {
    let refused = |error: std::io::Error| ErrorKind::InvalidConfiguration {
        reason: format!(
            "code cannot be read from {}: {error}; correct the path or its permissions",
            path.display()
        ),
    };
    let mut code = Vec::new();
    File::open(path)
        .map_err(refused)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut code)
        .map_err(refused)?;
    Ok(code.into())
}

fn insert_wasm(core: &Arc<Core>, function: Function, program: Program) -> Result<Deployed, Error> {
    let surroundings = Surroundings {
        face: Arc::clone(&core.desk.face),
        room: Arc::clone(&core.room),
        io: if program.imports_wasi() { Some(core.io.handle()?) } else { None },
        fuel: core.fuel,
    };
    let (contract, hash, compile_time) =
        (program.contract(), program.hash().to_string(), program.compiled_in());
    let pool = Pool::new(Arc::clone(&core.keeper), function.keep(), core.engines.shards());
    let mut made = None;
    let make = |facts: &Facts| {
        let (engines, recipe) = (Arc::clone(&core.engines), function.recipe.clone());
        let facts = Arc::new(facts.clone());
        let sandbox = Arc::new(Sandbox::new(engines, program, recipe, facts, (surroundings, pool)));
        made = Some(Arc::clone(&sandbox));
        Code::Wasm(sandbox)
    };
    let version = insert(core, &function, make)?;
    // Only what can be reached is worth making ready.
    if let Some(sandbox) = made {
        sandbox.prepare();
    }
    Ok(Deployed { name: function.name, version, contract, hash: Some(hash), compile_time })
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
    Ok(Deployed { name, version, contract: Contract::Native, hash: None, compile_time: Duration::ZERO })
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
