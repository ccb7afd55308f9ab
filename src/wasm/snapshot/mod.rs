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
mod memory;
mod outcome;
mod reading;
mod rehearsal;
mod tool;

use std::sync::Arc;
use std::time::Duration;

use self::inspect::Signs;
use self::memory::{Memory, Remembered};
pub use self::outcome::Snapshot;
use self::rehearsal::Stage;
use self::tool::Negative;
use crate::context::Facts;
use crate::error::{Error, ErrorKind, MemoryScope, Phase};
use crate::event::{Event, Response};
use crate::host::Grants;
use crate::pool::Keeper;
use crate::wasm::contract::Contract;
use crate::wasm::recipe::Recipe;
use crate::wasm::sandbox::Surroundings;
use crate::wasm::survey::to_binary;
use crate::wasm::vault::{Found, Vault};

/// What a program is developed with.
pub(crate) struct Studio<'a> {
    pub(crate) vault: &'a Arc<Vault>,
    pub(crate) keeper: &'a Arc<Keeper>,
    pub(crate) facts: Arc<Facts>,
    pub(crate) recipe: &'a Recipe,
    /// What init and samples may call, in place of the grants.
    pub(crate) stand_ins: &'a Grants,
    pub(crate) samples: &'a [Event],
    /// Init is to run for each guest, and nothing at deployment.
    pub(crate) per_guest: bool,
    /// No snapshot of the cache folder will do.
    pub(crate) anew: bool,
    pub(crate) lane: usize,
    /// Whether the function can be what it wants to be with a program.
    pub(crate) check: &'a (dyn Fn(&Found) -> Result<(), Error> + Sync),
    pub(crate) surroundings: &'a (dyn Fn(&Found) -> Result<Surroundings, Error> + Sync),
}

/// A program that is ready to serve.
pub(crate) struct Developed {
    pub(crate) found: Found,
    pub(crate) snapshot: Snapshot,
    pub(crate) warm_ups: Vec<Response>,
}

/// Why there is no snapshot.
enum Halt {
    /// The function is not deployed.
    Failed(Error),
    /// The function is deployed without; the samples may have been answered. A lasting reason follows from the code
    /// and would be found again each time.
    Refused { reason: String, lasting: bool, answers: Option<Vec<Response>> },
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<String> for Halt {
    fn from(reason: String) -> Self {
        Self::Refused { reason, lasting: true, answers: None }
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
        let found = original(studio, &binary)?;
        return Ok(Developed { found, snapshot: Snapshot::None, warm_ups: Vec::new() });
    }
    let memory = Memory::of(studio, blake3::hash(&binary));
    let known = match memory.recall(studio) {
        Some(Remembered::Taken { found, init }) => {
            if let Some(developed) = again(studio, found, init).await? {
                return Ok(developed);
            }
            None
        }
        Some(Remembered::Refused { reason }) => Some(Halt::from(reason)),
        None => None,
    };
    let halt = match known {
        Some(halt) => halt,
        None => match take(studio, &binary, &signs, &memory).await {
            Ok(developed) => return Ok(developed),
            Err(halt) => halt,
        },
    };
    match halt {
        Halt::Failed(error) => Err(error),
        Halt::Refused { reason, lasting, answers } => {
            let developed = without(studio, &binary, reason, answers).await?;
            if lasting {
                memory.note(studio, &developed.snapshot, b"");
            }
            Ok(developed)
        }
    }
}

/// Runs the samples on a snapshot that was taken before; none if they do not end well on it any more.
async fn again(
    studio: &Studio<'_>,
    found: Found,
    init: Option<Duration>,
) -> Result<Option<Developed>, Error> {
    if (studio.check)(&found).is_err() {
        return Ok(None);
    }
    let warm_ups = if studio.samples.is_empty() {
        Vec::new()
    } else {
        match Stage::new(studio, found.clone())?.rehearse().await {
            Ok(rehearsed) => rehearsed.answers,
            Err(error) if is_of_the_runtime(error.kind()) => return Err(error),
            Err(_) => return Ok(None),
        }
    };
    Ok(Some(Developed { found, snapshot: Snapshot::Taken { init, remembered: true }, warm_ups }))
}

/// Compiles the code as it is.
fn original(studio: &Studio<'_>, binary: &[u8]) -> Result<Found, Error> {
    let found = compile(studio, binary)?;
    (studio.check)(&found)?;
    Ok(found)
}

fn compile(studio: &Studio<'_>, binary: &[u8]) -> Result<Found, ErrorKind> {
    studio.vault.open(&studio.facts.name, binary, studio.lane)
}

/// Makes the program that stands where no snapshot could be taken.
async fn without(
    studio: &Studio<'_>,
    binary: &[u8],
    reason: String,
    answers: Option<Vec<Response>>,
) -> Result<Developed, Error> {
    let found = original(studio, binary)?;
    let warm_ups = match answers {
        Some(answers) => answers,
        None if studio.samples.is_empty() => Vec::new(),
        None => Stage::new(studio, found.clone())?.rehearse().await?.answers,
    };
    Ok(Developed { found, snapshot: Snapshot::Refused { reason }, warm_ups })
}

async fn take(studio: &Studio<'_>, binary: &[u8], signs: &Signs, memory: &Memory) -> Result<Developed, Halt> {
    let negative = Negative::new(binary)?;
    if let Some(reason) = signs.keeps_state {
        return Err(Halt::from(String::from(reason)));
    }
    let instrumented = (studio.vault)
        .open_once(&studio.facts.name, &negative.instrumented, studio.lane)
        .map_err(|kind| refusal("the code that reads its memories", kind))?;
    (studio.check)(&instrumented)?;
    let contract = instrumented.program.findings().contract;
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
        judge_size(studio, &wasm)?;
        judge_command(studio, contract, &wasm, &answers)?;
        let found = publish(studio, memory.of, &wasm, contract, &answers).await?;
        memory.note(studio, &Snapshot::Taken { init, remembered: false }, &wasm);
        Ok(found)
    };
    match taken.await {
        Ok(found) => {
            let snapshot = Snapshot::Taken { init, remembered: false };
            Ok(Developed { found, snapshot, warm_ups: answers })
        }
        Err(Halt::Refused { reason, lasting, .. }) => {
            Err(Halt::Refused { reason, lasting, answers: Some(answers) })
        }
        Err(failed) => Err(failed),
    }
}

/// Compiles the snapshot, and checks that a guest made from it ends the samples as the first one did.
async fn publish(
    studio: &Studio<'_>,
    original: blake3::Hash,
    wasm: &[u8],
    contract: Contract,
    answers: &[Response],
) -> Result<Found, Halt> {
    let found = compile(studio, wasm).map_err(|kind| refusal("the snapshot", kind))?;
    let found = found.stand_for(original);
    (found.program.findings())
        .check_limits(&studio.facts.name, &studio.recipe.limits, studio.keeper.room().total())
        .map_err(|error| format!("the snapshot is refused: {error}"))?;
    let stage = Stage::new(studio, found.clone())?;
    let again = match stage.rehearse().await {
        Ok(rehearsed) => rehearsed.answers,
        Err(error) if is_of_the_runtime(error.kind()) => return Err(error.into()),
        Err(error) => {
            // It may be the machine's fault this time.
            let reason = format!("a guest made from it does not work: {error}");
            return Err(Halt::Refused { reason, lasting: false, answers: None });
        }
    };
    let differs = |(first, second): (&Response, &Response)| first.bytes() != second.bytes();
    if contract == Contract::Command && answers.iter().zip(&again).any(differs) {
        return Err(String::from("a command made from it answers its sample differently").into());
    }
    Ok(found)
}

/// Refuses a snapshot that is larger than the function's code may be: what init filled is code from now on.
fn judge_size(studio: &Studio<'_>, wasm: &[u8]) -> Result<(), Halt> {
    let (size, limit) = (wasm.len() as u64, studio.recipe.limits.code);
    if size <= limit {
        return Ok(());
    }
    Err(format!("the snapshot is {size} bytes, and code may have {limit}; raise `max_code`").into())
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

/// Says that code of ours is refused, if it is the code's fault.
fn refusal(what: &str, kind: ErrorKind) -> Halt {
    match kind {
        ErrorKind::Engine { .. } => Error::from(kind).into(),
        kind if is_of_the_runtime(&kind) => Error::from(kind).into(),
        kind => format!("{what} is refused: {kind}").into(),
    }
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
