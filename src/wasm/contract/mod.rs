//! How a host and a guest speak to each other: one file for each contract.

pub(crate) mod bytes;
mod command;
pub(crate) mod function;
pub(crate) mod http;
mod shape;
mod stdio;

use std::fmt;
use std::pin::Pin;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use wasmtime::Store;
use wasmtime_wasi::WasiCtxBuilder;

use crate::body::Writer;
use crate::context::Context;
use crate::error::ErrorKind;
use crate::event::{Input, Response};
use crate::wasm::artifact::Loaded;
use crate::wasm::crowd::Crowd;
use crate::wasm::engine::Shard;
use crate::wasm::recipe::Recipe;
use crate::wasm::state::State;

/// The contract that a function's code speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Contract {
    /// A component that exports `fnhost:function/handler`.
    Function,
    /// A command: stdin in, stdout out.
    Command,
    /// A component that exports `wasi:http/incoming-handler@0.2` or `wasi:http/handler@0.3`.
    Http,
    /// A core module that exports `memory`, `fnhost_alloc` and `fnhost_handle`.
    Bytes,
    /// A closure in Rust.
    Native,
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Function => "function",
            Self::Command => "command",
            Self::Http => "http",
            Self::Bytes => "bytes",
            Self::Native => "native",
        })
    }
}

/// Code linked on one shard, ready to make guests.
pub(crate) enum Code {
    Function(function::Code),
    Command(command::Code),
    Http(http::Code),
    Bytes(bytes::Code),
}

/// The exports of one live guest; the larger ones boxed, as a guest is moved often.
pub(crate) enum Exports {
    Function(function::Exports),
    Command(Box<command::Exports>),
    Http(Box<http::Exports>),
    Bytes(Box<bytes::Exports>),
}

/// A guest's instance, from which its memories can be read.
#[derive(Clone, Copy)]
pub(crate) enum Live {
    Module(wasmtime::Instance),
    Component(wasmtime::component::Instance),
}

impl Code {
    /// Finds out which contract the code speaks, and links it.
    pub(crate) fn link(function: &str, loaded: &Loaded, shard: &Shard) -> Result<Self, ErrorKind> {
        match loaded {
            Loaded::Module(module) if bytes::Code::is_spoken_by(module) => {
                bytes::Code::link(function, module, shard).map(Self::Bytes)
            }
            Loaded::Module(module) if command::is_module(module) => {
                command::Code::link_module(function, module, shard).map(Self::Command)
            }
            Loaded::Module(module) => {
                Err(unknown(function, module.exports().map(|export| export.name().into())))
            }
            Loaded::Component(component) => {
                if let Some(export) = function::find_handler(function, component)? {
                    return function::Code::link(function, component, shard, &export).map(Self::Function);
                }
                if http::is_component(component) {
                    return http::Code::link(function, component, shard).map(Self::Http);
                }
                if command::is_component(component) {
                    return command::Code::link_component(function, component, shard).map(Self::Command);
                }
                let types = component.component_type();
                let names: Vec<String> =
                    types.exports(component.engine()).map(|(name, _)| name.into()).collect();
                Err(unknown(function, names.into_iter()))
            }
        }
    }

    pub(crate) fn contract(&self) -> Contract {
        match self {
            Self::Function(_) => Contract::Function,
            Self::Command(_) => Contract::Command,
            Self::Http(_) => Contract::Http,
            Self::Bytes(_) => Contract::Bytes,
        }
    }

    /// Tells whether it has an init of its contract's.
    pub(crate) fn has_init(&self) -> bool {
        match self {
            Self::Function(code) => code.has_init(),
            Self::Bytes(code) => code.has_init(),
            Self::Command(_) | Self::Http(_) => false,
        }
    }

    /// Tells whether a guest may serve several events at once.
    pub(crate) fn serves_several(&self) -> bool {
        matches!(self, Self::Http(code) if code.serves_several())
    }

    /// Tells a core module from a component.
    pub(crate) fn is_module(&self) -> bool {
        match self {
            Self::Bytes(_) => true,
            Self::Command(code) => code.is_module(),
            Self::Function(_) | Self::Http(_) => false,
        }
    }

    /// Checks that the export which the function names as its init is there.
    pub(crate) fn check_init(&self, export: &str) -> Result<(), String> {
        match self {
            Self::Function(code) => code.check_init(export),
            Self::Bytes(code) => code.check_init(export),
            Self::Command(_) => Err("a command runs once and has no init; leave `init_export` out".into()),
            Self::Http(_) => Err("a handler of wasi:http has no init; leave `init_export` out".into()),
        }
    }

    /// Makes the instance; `_initialize` is part of it.
    pub(crate) async fn instantiate(&self, store: &mut Store<State>) -> wasmtime::Result<Exports> {
        Ok(match self {
            Self::Function(code) => Exports::Function(code.instantiate(store).await?),
            Self::Command(code) => Exports::Command(Box::new(code.instantiate(store).await?)),
            Self::Http(code) => Exports::Http(Box::new(code.instantiate(store).await?)),
            Self::Bytes(code) => Exports::Bytes(code.instantiate(store).await?),
        })
    }
}

impl Exports {
    pub(crate) fn live(&self) -> Live {
        match self {
            Self::Function(exports) => Live::Component(exports.instance()),
            Self::Command(exports) => exports.live(),
            Self::Http(exports) => Live::Component(exports.instance()),
            Self::Bytes(exports) => Live::Module(exports.instance()),
        }
    }

    /// Tells whether there is an init to run.
    pub(crate) fn has_init(&self) -> bool {
        match self {
            Self::Function(exports) => exports.has_init(),
            Self::Bytes(exports) => exports.has_init(),
            Self::Command(_) | Self::Http(_) => false,
        }
    }

    /// Runs the init; the inner error is what it said.
    pub(crate) async fn init(&self, store: &mut Store<State>) -> wasmtime::Result<Result<(), String>> {
        match self {
            Self::Function(exports) => exports.init(store).await,
            Self::Bytes(exports) => exports.init(store).await,
            Self::Command(_) | Self::Http(_) => Ok(Ok(())),
        }
    }

    /// Serves whoever comes in, several at once, until nobody waits any more.
    pub(crate) async fn serve(
        &self,
        store: &mut Store<State>,
        inside: &mut mpsc::UnboundedReceiver<http::Visit>,
        crowd: &Crowd,
    ) -> wasmtime::Result<()> {
        match self {
            Self::Http(exports) => exports.serve(store, inside, crowd).await,
            _ => unreachable!("the deployment was refused"),
        }
    }

    /// Hands the event to the guest; the inner error is what it answered, the outer one ends the guest.
    pub(crate) async fn call(
        &mut self,
        store: &mut Store<State>,
        input: Input,
        sink: Option<Writer>,
    ) -> wasmtime::Result<Result<Response, ErrorKind>> {
        if let Self::Http(exports) = self {
            return exports.call(store, input, sink).await;
        }
        let event = match input {
            Input::Event(event) => event,
            // It was meant for a version that speaks HTTP.
            request => {
                match request.into_event(store.data_mut().context.get_or_insert_with(Context::new)).await {
                    Ok(event) => event,
                    Err(kind) => return Ok(Err(kind)),
                }
            }
        };
        match self {
            Self::Function(exports) => exports.call(store, event).await,
            Self::Bytes(exports) => exports.call(store, event).await,
            Self::Command(exports) => exports.call(store, event, sink).await,
            Self::Http(_) => unreachable!("it was called above"),
        }
    }
}

/// Puts one of the engine's large futures on the heap.
///
/// They take one or two kilobytes, and each async function around one would move it once more before it is first
/// polled: for a fresh guest that was 18 KB and 0.6 us, where this is one allocation (bench `invoke`).
pub(crate) fn boxed<F: Future>(future: F) -> Pin<Box<F>> {
    Box::pin(future)
}

/// Makes an instance of code that runs nothing meanwhile and waits for nothing.
///
/// Such a one needs no fiber and no future, which is a sixth of what a small guest costs (bench `invoke`). No tick
/// may fall into it, as there is nobody to yield to.
fn quietly<T>(
    store: &mut Store<State>,
    instantiate: impl FnOnce(&mut Store<State>) -> wasmtime::Result<T>,
) -> wasmtime::Result<T> {
    store.set_epoch_deadline(NEVER);
    let made = instantiate(store);
    store.set_epoch_deadline(1);
    made
}

/// More ticks than a runtime lives.
pub(crate) const NEVER: u64 = 1 << 40;

/// Gives the guest the part of WASI that its function was granted, with its output in the log.
pub(crate) fn give_wasi(state: &mut State, recipe: &Recipe) -> wasmtime::Result<()> {
    // A folder that is gone has to be told of now; nothing else can be missing.
    if recipe.dirs.is_empty() && !state.linked.mapped.code.is_module() {
        state.set_wasi_later();
    } else {
        let mut granted = granted_wasi(state)?;
        state.set_wasi(&mut granted);
    }
    Ok(())
}

/// Makes the part of WASI that a function was granted.
pub(crate) fn granted_wasi(state: &mut State) -> wasmtime::Result<WasiCtxBuilder> {
    let log = state.log().clone();
    let mut builder = state.linked.recipe.wasi(&state.linked.facts.name)?;
    builder.stdout(stdio::log(&log, stdio::Source::Stdout)).stderr(stdio::log(&log, stdio::Source::Stderr));
    Ok(builder)
}

fn unknown(function: &str, found: impl Iterator<Item = String>) -> ErrorKind {
    let mut found: Vec<String> = found.collect();
    let total = found.len();
    found.truncate(20);
    let found = match total {
        0 => "no exports".into(),
        _ if total > 20 => format!("the exports {} and {} more", found.join(", "), total - 20),
        _ => format!("the exports {}", found.join(", ")),
    };
    let needed = "a component that exports fnhost:function/handler@0.1, wasi:http/incoming-handler@0.2, \
                  wasi:http/handler@0.3 or wasi:cli/run@0.2, or a core module that \
                  exports memory, fnhost_alloc and fnhost_handle, or _start";
    ErrorKind::UnknownContract { function: function.into(), found, needed: needed.into() }
}
