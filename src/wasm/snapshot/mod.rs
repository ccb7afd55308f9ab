//! Snapshots: init and samples run once at deployment, and every guest starts with the memory that they left.
//!
//! [`develop`] promises that code which a snapshot cannot be taken of still becomes a program, with the reason; that
//! what is run here is run under the function's own limits, with a place and memory from the runtime's room, and gives
//! both back on every path; that no snapshot is published that holds a handle of the host, or whose guest does
//! not end the samples as the first one did; and that the program answers to the hash of the original code. It
//! does not run init of a function that wants it for each guest, and tells no observer.
//!
//! Code is instrumented by the tool, a guest is made of that and does its work, and the tool reads its memories and
//! globals and writes them into the original code: that is the snapshot.

mod handles;
mod inspect;
mod outcome;
mod reading;
mod rehearsal;
mod tool;

use std::sync::Arc;
use std::time::Duration;

use self::inspect::Signs;
pub use self::outcome::Snapshot;
use self::rehearsal::Stage;
use self::tool::Negative;
use crate::context::Facts;
use crate::error::{Error, ErrorKind, MemoryScope, Phase};
use crate::event::{Event, Response};
use crate::host::Grants;
use crate::pool::Keeper;
use crate::wasm::contract::Contract;
use crate::wasm::engine::Engines;
use crate::wasm::program::{Program, Recipe};
use crate::wasm::sandbox::Surroundings;
use crate::wasm::survey::to_binary;

/// What a program is developed with.
pub(crate) struct Studio<'a> {
    pub(crate) engines: &'a Arc<Engines>,
    pub(crate) keeper: &'a Arc<Keeper>,
    pub(crate) facts: Arc<Facts>,
    pub(crate) recipe: &'a Recipe,
    /// What init and samples may call, in place of the grants.
    pub(crate) stand_ins: &'a Grants,
    pub(crate) samples: &'a [Event],
    /// Init is to run for each guest, and nothing at deployment.
    pub(crate) per_guest: bool,
    pub(crate) lane: usize,
    /// Whether the function can be what it wants to be with a program.
    pub(crate) check: &'a (dyn Fn(&Program) -> Result<(), Error> + Sync),
    pub(crate) surroundings: &'a (dyn Fn(&Program) -> Result<Surroundings, Error> + Sync),
}

/// A program that is ready to serve.
pub(crate) struct Developed {
    pub(crate) program: Program,
    pub(crate) snapshot: Snapshot,
    pub(crate) warm_ups: Vec<Response>,
}

/// Why there is no snapshot.
enum Halt {
    /// The function is not deployed.
    Failed(Error),
    /// The function is deployed without; the samples may have been answered.
    Refused { reason: String, answers: Option<Vec<Response>> },
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<String> for Halt {
    fn from(reason: String) -> Self {
        Self::Refused { reason, answers: None }
    }
}

/// Compiles, and takes a snapshot where one is wanted and can be had; long work, for a thread of its own.
///
/// # Cancel safety
///
/// Dropping the future discards a guest that runs and gives its place back.
pub(crate) async fn develop(studio: &Studio<'_>, code: &[u8]) -> Result<Developed, Error> {
    let binary = to_binary(&studio.facts.name, code)?;
    // What cannot be read is for the compiler to judge.
    let signs = Signs::of(&binary).unwrap_or_default();
    let wants = signs.has_init || studio.recipe.init_export.is_some() || !studio.samples.is_empty();
    if studio.per_guest || !wants {
        let program = original(studio, &binary)?;
        return Ok(Developed { program, snapshot: Snapshot::None, warm_ups: Vec::new() });
    }
    match take(studio, &binary, &signs).await {
        Ok(developed) => Ok(developed),
        Err(Halt::Failed(error)) => Err(error),
        Err(Halt::Refused { reason, answers }) => without(studio, &binary, reason, answers).await,
    }
}

/// Compiles the code as it is.
fn original(studio: &Studio<'_>, binary: &[u8]) -> Result<Program, Error> {
    let program = compile(studio, binary)?;
    (studio.check)(&program)?;
    Ok(program)
}

fn compile(studio: &Studio<'_>, binary: &[u8]) -> Result<Program, ErrorKind> {
    Program::compile(studio.engines, &studio.facts.name, binary, studio.lane)
}

/// Makes the program that stands where no snapshot could be taken.
async fn without(
    studio: &Studio<'_>,
    binary: &[u8],
    reason: String,
    answers: Option<Vec<Response>>,
) -> Result<Developed, Error> {
    let mut program = original(studio, binary)?;
    let warm_ups = match answers {
        Some(answers) => answers,
        None if studio.samples.is_empty() => Vec::new(),
        None => {
            let stage = Stage::new(studio, program)?;
            let answers = stage.rehearse().await?.answers;
            program = stage.into_program();
            answers
        }
    };
    Ok(Developed { program, snapshot: Snapshot::Refused { reason }, warm_ups })
}

async fn take(studio: &Studio<'_>, binary: &[u8], signs: &Signs) -> Result<Developed, Halt> {
    let negative = Negative::new(binary)?;
    if let Some(reason) = signs.keeps_state {
        return Err(Halt::from(String::from(reason)));
    }
    let instrumented = compile(studio, &negative.instrumented)
        .map_err(|error| format!("the code that reads its memories is refused: {error}"))?;
    (studio.check)(&instrumented)?;
    let (contract, spent) = (instrumented.contract(), instrumented.compiled_in());
    let stage = Stage::new(studio, instrumented)?;
    let mut rehearsed = stage.rehearse().await?;
    let init = rehearsed.init;
    let answers = rehearsed.answers;
    let print = match handles::left_open(rehearsed.lease.guest().lay_open().0.data_mut()) {
        Some(left) => Err(format!("init or a sample left {left}")),
        None => negative.develop(rehearsed.lease.guest()).await,
    };
    // The guest goes before the next one is made, and its place with it.
    drop(rehearsed.lease);
    let taken = async {
        let wasm = print?;
        judge_command(studio, contract, &wasm, &answers)?;
        publish(studio, binary, &wasm, (contract, spent), &answers).await
    };
    match taken.await {
        Ok(program) => Ok(Developed { program, snapshot: Snapshot::Taken { init }, warm_ups: answers }),
        Err(Halt::Refused { reason, .. }) => Err(Halt::Refused { reason, answers: Some(answers) }),
        Err(failed) => Err(failed),
    }
}

/// Compiles the snapshot, and checks that a guest made from it ends the samples as the first one did.
async fn publish(
    studio: &Studio<'_>,
    binary: &[u8],
    wasm: &[u8],
    (contract, spent): (Contract, Duration),
    answers: &[Response],
) -> Result<Program, Halt> {
    let program = compile(studio, wasm).map_err(|error| format!("the snapshot is refused: {error}"))?;
    let mut program = program.stand_for(binary);
    program
        .check_limits(&studio.recipe.limits, studio.keeper.room().total())
        .map_err(|error| format!("the snapshot is refused: {error}"))?;
    program.add_compile_time(spent);
    let stage = Stage::new(studio, program)?;
    let again = match stage.rehearse().await {
        Ok(rehearsed) => rehearsed.answers,
        Err(error) if is_of_the_runtime(error.kind()) => return Err(error.into()),
        Err(error) => return Err(format!("a guest made from it does not work: {error}").into()),
    };
    let differs = |(first, second): (&Response, &Response)| first.bytes() != second.bytes();
    if contract == Contract::Command && answers.iter().zip(&again).any(differs) {
        return Err(String::from("a command made from it answers its sample differently").into());
    }
    Ok(stage.into_program())
}

/// Refuses what the check could not see of a command, which is not made to run twice.
fn judge_command(
    studio: &Studio<'_>,
    contract: Contract,
    wasm: &[u8],
    answers: &[Response],
) -> Result<(), Halt> {
    if contract != Contract::Command {
        return Ok(());
    }
    if studio.samples.iter().any(|sample| sample.body().is_empty()) {
        let reason = "a command's sample needs a body, to see whether a second one would be read";
        return Err(String::from(reason).into());
    }
    let kept = answers.iter().any(|answer| {
        let id = answer.report().request_id.to_string();
        wasm.windows(id.len()).any(|bytes| bytes == id.as_bytes())
    });
    if kept {
        let reason = "the command keeps its sample's variables, and every event would see those";
        return Err(String::from(reason).into());
    }
    Ok(())
}

/// Tells whether an error says nothing of the snapshot: there is no room, or no runtime any more.
fn is_of_the_runtime(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ShuttingDown
            | ErrorKind::Throttled { .. }
            | ErrorKind::TimedOut { phase: Phase::Queue, .. }
            | ErrorKind::MemoryExceeded { scope: MemoryScope::Runtime, .. }
    )
}
