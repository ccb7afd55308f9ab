//! How a function becomes a version.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::admission::{Amount, Gate};
use crate::context::Facts;
use crate::errand;
use crate::error::{Error, ErrorKind, Payload};
use crate::function::{Function, Source};
use crate::invoke::Deployment;
use crate::invoke::native::{Native, NativeCallee};
use crate::lane;
use crate::pool::{Pool, Tally};
use crate::registry::Taken;
use crate::runtime::core::{Code, Core};
use crate::wasm::{Contract, Found, Origin, Sandbox, Surroundings};

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

    /// Returns how long compiling took, or finding what was compiled before; zero for native handlers.
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
        Source::Precompiled(code) => Source::Precompiled(std::mem::take(code)),
    };
    let found = open(core, &function, source).await?;
    let findings = found.program.findings();
    function.check_contract(findings.contract)?;
    findings.check_limits(&function.name, function.limits(), core.room.total())?;
    insert_wasm(core, function, found)
}

/// Finds or compiles the program on a thread of its own, of which only so many work at a time.
async fn open(core: &Arc<Core>, function: &Function, source: Source) -> Result<Found, Error> {
    let Ok(permit) = core.deployers.take(Amount::one()).await else {
        return Err(ErrorKind::ShuttingDown.into());
    };
    let permit = Permit { core: Arc::clone(core), amount: permit.keep() };
    let (name, max_code, lane) = (function.name.clone(), function.limits().code, lane::home());
    let init_export = function.recipe.init_export.clone();
    let work = move || {
        let started = Instant::now();
        let vault = &permit.core.vault;
        let mut found = match &source {
            Source::Precompiled(code) => vault.unpack(&name, code)?,
            source => vault.open(&name, &read(source, max_code)?, lane)?,
        };
        if let Some(export) = init_export {
            vault.check_init(&name, &found.program, &export, lane)?;
        }
        found.took = started.elapsed();
        Ok(found)
    };
    let opened: Option<Result<_, ErrorKind>> = errand::run("fnhost-compile", work).await?;
    let panicked = || ErrorKind::Compile {
        function: function.name.clone(),
        message: "the compiler panicked; report it with the code".into(),
    };
    Ok(opened.ok_or_else(panicked)??)
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

fn read(source: &Source, limit: u64) -> Result<Bytes, ErrorKind> {
    let code = match source {
        Source::Code(code) => code.clone(),
        Source::File(path) => read_file(path, limit)?,
        Source::Native(_) | Source::Precompiled(_) => Bytes::new(),
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

fn insert_wasm(core: &Arc<Core>, function: Function, found: Found) -> Result<Deployed, Error> {
    let (findings, origin, took) = (found.program.findings().clone(), found.origin, found.took);
    let hash = found.program.hash();
    let surroundings = Surroundings {
        face: Arc::clone(&core.desk.face),
        room: Arc::clone(&core.room),
        io: if findings.imports_wasi { Some(core.io.handle()?) } else { None },
        fuel: core.fuel,
    };
    let pool = Pool::new(Arc::clone(&core.keeper), function.keep(), core.engines.shards());
    let make = |facts: &Facts| {
        let (vault, recipe, facts) =
            (Arc::clone(&core.vault), function.recipe.clone(), Arc::new(facts.clone()));
        Code::Wasm(Box::new(Sandbox::new(vault, found, recipe, facts, (surroundings, pool))))
    };
    let version = insert(core, &function, make)?;
    let contract = findings.contract;
    Ok(Deployed { name: function.name, version, contract, hash: Some(hash), origin, compile_time: took })
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
        origin: Origin::Native,
        compile_time: Duration::ZERO,
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
