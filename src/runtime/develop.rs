//! How a function's code becomes a program, on a thread of its own.

use std::fs::File;
use std::future::poll_fn;
use std::io::Read;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::block_on::block_on;
use crate::context::Facts;
use crate::error::{Error, ErrorKind, Payload};
use crate::function::{Function, Init, Source};
use crate::runtime::core::Core;
use crate::wasm::{Developed, Found, Snapshot, Studio, Surroundings, develop};

/// Reads the code, compiles it, and takes a snapshot if one is wanted.
pub(super) async fn prepare(core: &Arc<Core>, function: &Function, lane: usize) -> Result<Developed, Error> {
    let started = Instant::now();
    if let Source::Precompiled(code) = &function.source {
        let mut found = core.vault.unpack(&function.name, code)?;
        check(core, function, &found, lane)?;
        found.took = started.elapsed();
        let has_init = found.program.findings().has_init || function.recipe.init_export.is_some();
        let snapshot = if has_init && function.start.init != Init::PerGuest {
            let reason =
                "precompiled code has no source to take one of; deploy the source with a cache folder";
            Snapshot::Refused { reason: reason.into() }
        } else {
            Snapshot::None
        };
        return Ok(Developed { found, snapshot, warm_ups: Vec::new() });
    }
    let code = read(&function.source, function.limits().code)?;
    let facts = Facts {
        name: function.name.clone(),
        // No version is given before everything is known to be right.
        version: function.version.unwrap_or(0),
        memory_limit: function.limits().memory,
        hash: None,
    };
    let studio = Studio {
        vault: &core.vault,
        keeper: &core.keeper,
        facts: Arc::new(facts),
        recipe: &function.recipe,
        stand_ins: &function.start.stand_ins,
        samples: &function.start.samples,
        per_guest: function.start.init == Init::PerGuest,
        anew: function.start.init == Init::Anew,
        lane,
        check: &|found| check(core, function, found, lane),
        surroundings: &|found| surroundings(core, found),
    };
    let mut developed = develop(&studio, &code).await?;
    developed.found.took = started.elapsed();
    Ok(developed)
}

/// Checks what the function asks of its code.
fn check(core: &Core, function: &Function, found: &Found, lane: usize) -> Result<(), Error> {
    let findings = found.program.findings();
    function.check_contract(findings.contract, findings.is_concurrent())?;
    // A snapshot need not export it any more: it has run.
    if let Some(export) = &function.recipe.init_export
        && !found.is_initialized
    {
        core.vault.check_init(&function.name, &found.program, export, lane)?;
    }
    findings.check_limits(&function.name, function.limits(), core.room.total())?;
    function.check_prepared(findings.need(), core.room.total())
}

/// Runs the work to its end on this thread, or drops it when nobody waits for its answer any more.
pub(super) fn while_wanted<T, F: Future>(
    answer: &mut oneshot::Sender<T>,
    host: Option<&Handle>,
    work: F,
) -> Option<F::Output> {
    // What stands in for the host's functions runs under the host's own async runtime.
    let _entered = host.map(Handle::enter);
    let mut work = pin!(work);
    block_on(poll_fn(|cx| match answer.poll_closed(cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => work.as_mut().poll(cx).map(Some),
    }))
}

/// Returns what a program's guests share with all others.
pub(super) fn surroundings(core: &Core, found: &Found) -> Result<Surroundings, Error> {
    Ok(Surroundings {
        face: Arc::clone(&core.desk.face),
        room: Arc::clone(&core.room),
        io: if found.program.findings().imports_wasi { Some(core.io.handle()?) } else { None },
        #[cfg(feature = "http")]
        outbound: None,
        fuel: core.fuel,
    })
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
