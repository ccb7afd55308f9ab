//! What the engine says went wrong, as the error that it means.

use std::fmt;

use crate::clock::Cut;
use crate::error::{ErrorKind, Payload, ThrottleReason};
use crate::limits::Limits;
use crate::wasm::contract::bytes::bridge;
use crate::wasm::meter::Stop;
use crate::wasm::state::State;

/// What a backtrace shows of a function's name.
const MOST_OF_A_NAME: usize = 1_000;

/// Why a guest did not answer.
pub(crate) enum Fault {
    /// It was stopped; the caller knows in which phase.
    Cut(Cut),
    /// It came to this.
    Kind(ErrorKind),
}

impl From<ErrorKind> for Fault {
    fn from(kind: ErrorKind) -> Self {
        Self::Kind(kind)
    }
}

/// An import's reason to stop the guest, carried through the engine.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The guest handed over something that its contract does not allow.
    Invalid(String),
    /// The guest handed over more than it may.
    TooLarge { what: Payload, limit: u64, size: u64 },
    /// The host cannot give what was granted; no fault of the guest's.
    Missing(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(reason) | Self::Missing(reason) => f.write_str(reason),
            Self::TooLarge { what, limit, size } => write!(f, "{what} too large: {size} bytes of {limit}"),
        }
    }
}

impl std::error::Error for Refused {}

/// Makes the error with which an import stops a guest that breaks its contract.
pub(crate) fn invalid(reason: impl Into<String>) -> wasmtime::Error {
    Refused::Invalid(reason.into()).into()
}

/// Finds out what an error of the engine means.
pub(crate) fn explain(error: &wasmtime::Error, state: &mut State) -> Fault {
    if let Some(Stop(cut)) = error.downcast_ref::<Stop>() {
        return Fault::Cut(*cut);
    }
    // A guest that was refused memory ends in an abort, an exit or a trap of its own making; the refusal is
    // the reason.
    if let Some(refusal) = state.meter.refusal() {
        return refusal.into();
    }
    let limits = &state.linked.recipe.limits;
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return of_import(refused).into();
    }
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        let code = exit.0;
        return ErrorKind::Exited { code, stderr: stderr_tail(state) }.into();
    }
    if error.downcast_ref::<wasmtime::PoolConcurrencyLimitError>().is_some() {
        return no_slot().into();
    }
    let backtrace = error.downcast_ref::<wasmtime::WasmBacktrace>();
    if is_too_much_data(error) {
        return too_much_data(limits, backtrace.is_some()).into();
    }
    match error.downcast_ref::<wasmtime::Trap>() {
        Some(wasmtime::Trap::OutOfFuel) => {
            ErrorKind::FuelSpent { limit: limits.fuel.unwrap_or(u64::MAX) }.into()
        }
        Some(trap) => trapped(trap.to_string(), backtrace).into(),
        None if backtrace.is_some() => trapped(error.root_cause().to_string(), backtrace).into(),
        // No trap and no guest code on the stack: the engine was reading the answer.
        None => ErrorKind::InvalidAnswer { reason: format!("{error:#}") }.into(),
    }
}

fn of_import(refused: &Refused) -> ErrorKind {
    match refused {
        Refused::Invalid(reason) => ErrorKind::InvalidAnswer { reason: reason.clone() },
        Refused::Missing(reason) => ErrorKind::Engine { reason: reason.clone() },
        Refused::TooLarge { what, limit, size } => {
            ErrorKind::PayloadTooLarge { what: *what, limit: *limit, size: *size }
        }
    }
}

fn stderr_tail(state: &State) -> String {
    state.log.as_ref().map_or_else(String::new, |log| log.lock().stderr_tail())
}

/// The places say that there is room, so something else has used the engine's slots up; it passes.
fn no_slot() -> ErrorKind {
    ErrorKind::Throttled { reason: ThrottleReason::NoSlot, retry_after: std::time::Duration::from_millis(10) }
}

/// The engine keeps this error's type to itself.
fn is_too_much_data(error: &wasmtime::Error) -> bool {
    error.root_cause().to_string().contains("fuel allocated for hostcalls")
}

fn too_much_data(limits: &Limits, in_host_call: bool) -> ErrorKind {
    let (what, limit) = if in_host_call {
        (Payload::HostCall, limits.host_call_bytes())
    } else {
        (Payload::Response, limits.response.min(limits.host_call_bytes()))
    };
    // The engine stops at the first byte too many and does not say how many there are.
    ErrorKind::PayloadTooLarge { what, limit, size: limits.host_call_bytes().saturating_add(1) }
}

fn trapped(message: String, backtrace: Option<&wasmtime::WasmBacktrace>) -> ErrorKind {
    let frames = backtrace.map_or(&[][..], |backtrace| backtrace.frames());
    // The outermost one may be ours.
    let frames = match frames {
        [guests @ .., last] if last.module().name() == Some(bridge::NAME) => guests,
        all => all,
    };
    let frames = frames.iter();
    ErrorKind::Trapped { message, backtrace: frames.map(frame).collect() }
}

fn frame(frame: &wasmtime::FrameInfo) -> String {
    match frame.func_name() {
        // A name may have 100,000 bytes, and more once it is demangled.
        Some(name) => format!("{:#}", rustc_demangle::demangle(name)).chars().take(MOST_OF_A_NAME).collect(),
        None => {
            format!("function {} of {}", frame.func_index(), frame.module().name().unwrap_or("the module"))
        }
    }
}
