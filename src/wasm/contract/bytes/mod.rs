//! The smallest contract: a core module that takes bytes and answers bytes.

pub(crate) mod bridge;
mod imports;

use std::sync::Arc;

use bytes::Bytes;
use wasmtime::{AsContextMut, Extern, ExternType, InstancePre, Memory, Module, Store, TypedFunc, ValType};

pub(crate) use self::imports::{IMPORTS, define};
use crate::error::{ErrorKind, Payload};
use crate::event::{Event, Response};
use crate::wasm::contract::bytes::bridge::Bridge;
use crate::wasm::contract::{Code as AnyCode, boxed, quietly};
use crate::wasm::engine::Shard;
use crate::wasm::fault::{Refused, invalid};
use crate::wasm::state::{Exchange, State};

const HANDLE: &str = "fnhost_handle";
const ALLOC: &str = "fnhost_alloc";
const FREE: &str = "fnhost_free";
const INIT: &str = "fnhost_init";
const INITIALIZE: &str = "_initialize";

/// A module of this contract, linked on one shard.
pub(crate) struct Code {
    pre: InstancePre<State>,
    has_free: bool,
    has_init: bool,
    has_initialize: bool,
    bridge: Arc<Bridge>,
}

/// The exports of one live guest.
pub(crate) struct Exports {
    instance: wasmtime::Instance,
    memory: Memory,
    alloc: TypedFunc<i32, i32>,
    handle: TypedFunc<(i32, i32), i64>,
    free: Option<TypedFunc<(i32, i32), ()>>,
    init: Option<Init>,
    served: Served,
}

/// How an event's body comes in: a guest that serves a second event may serve more.
enum Served {
    Nothing,
    One,
    /// Both exports in one call.
    Several(TypedFunc<i32, i64>),
}

enum Init {
    Status(TypedFunc<(), i32>),
    Plain(TypedFunc<(), ()>),
}

impl Code {
    pub(crate) fn is_spoken_by(module: &Module) -> bool {
        module.get_export(HANDLE).is_some()
    }

    pub(crate) fn link(function: &str, module: &Module, shard: &Shard) -> Result<Self, ErrorKind> {
        check_exports(function, module)?;
        let pre = shard.linkers.module(function, module)?;
        let has = |name| module.get_export(name).is_some();
        Ok(Self {
            pre,
            has_free: has(FREE),
            has_init: has(INIT),
            has_initialize: has(INITIALIZE),
            bridge: Arc::clone(&shard.linkers.bridge),
        })
    }

    pub(crate) fn has_init(&self) -> bool {
        self.has_init
    }

    pub(crate) fn check_init(&self, export: &str) -> Result<(), String> {
        let results = match self.pre.module().get_export(export) {
            Some(ExternType::Func(ty)) if ty.params().len() == 0 => {
                ty.results().map(|ty| ty.to_string()).collect()
            }
            _ => vec!["another type".to_string()],
        };
        match results.as_slice() {
            [] => Ok(()),
            [one] if one == "i32" => Ok(()),
            _ => Err(format!(
                "the module exports no {export:?} of type () -> () or () -> i32; correct `init_export` or leave it out"
            )),
        }
    }

    pub(crate) async fn instantiate(&self, store: &mut Store<State>) -> wasmtime::Result<Box<Exports>> {
        let instance = if store.data().linked.is_quiet {
            quietly(store, |store| self.pre.instantiate(store))?
        } else {
            boxed(self.pre.instantiate_async(&mut *store)).await?
        };
        if self.has_initialize {
            let initialize = instance.get_typed_func::<(), ()>(&mut *store, INITIALIZE)?;
            initialize.call_async(&mut *store, ()).await?;
        }
        let Some(Extern::Memory(memory)) = instance.get_export(&mut *store, "memory") else {
            return Err(invalid("the module exports no memory"));
        };
        let linked = &store.data().linked;
        let named = linked.recipe.init_export.clone();
        let init = named.or_else(|| self.has_init.then(|| INIT.into())).filter(|_| !linked.is_initialized);
        let init = init.map(|name| Init::find(&instance, store, &name)).transpose()?;
        Ok(Box::new(Exports {
            instance,
            memory,
            alloc: instance.get_typed_func(&mut *store, ALLOC)?,
            handle: instance.get_typed_func(&mut *store, HANDLE)?,
            free: if self.has_free { Some(instance.get_typed_func(&mut *store, FREE)?) } else { None },
            init,
            served: Served::Nothing,
        }))
    }
}

impl Init {
    fn find(instance: &wasmtime::Instance, store: &mut Store<State>, name: &str) -> wasmtime::Result<Self> {
        match instance.get_typed_func(&mut *store, name) {
            Ok(status) => Ok(Self::Status(status)),
            Err(_) => instance.get_typed_func(&mut *store, name).map(Self::Plain),
        }
    }
}

impl Exports {
    pub(crate) fn instance(&self) -> wasmtime::Instance {
        self.instance
    }

    pub(crate) fn has_init(&self) -> bool {
        self.init.is_some()
    }

    pub(crate) async fn init(&self, store: &mut Store<State>) -> wasmtime::Result<Result<(), String>> {
        let status = match &self.init {
            Some(Init::Status(init)) => init.call_async(&mut *store, ()).await?,
            Some(Init::Plain(init)) => init.call_async(&mut *store, ()).await.map(|()| 0)?,
            None => 0,
        };
        let failure = store.data_mut().exchange.failure.take();
        Ok(match (status, failure) {
            (0, None) => Ok(()),
            (_, Some(failure)) => Err(failure.message().into()),
            (status, None) => Err(format!("init answered {status} and gave no reason through fnhost.fail")),
        })
    }

    pub(crate) async fn call(
        &mut self,
        store: &mut Store<State>,
        event: Event,
    ) -> wasmtime::Result<Result<Response, ErrorKind>> {
        let size = event.body().len();
        store.data_mut().event = Some(event);
        let packed = self.serve(store, size).await?;
        let Exchange { failure, content_type, attributes, .. } =
            std::mem::take(&mut store.data_mut().exchange);
        if let Some(failure) = failure {
            return Ok(Err(ErrorKind::Failed(failure)));
        }
        let answer = self.fetch(store, packed)?;
        if let Some(free) = &self.free {
            free.call_async(&mut *store, ((packed as u64 >> 32) as i32, packed as i32)).await?;
        }
        Ok(Response::from_parts(content_type, attributes, answer)
            .map_err(|reason| ErrorKind::InvalidAnswer { reason }))
    }

    /// Hands over the body, of this size, and lets the guest work; what comes back is where the answer is.
    async fn serve(&mut self, store: &mut Store<State>, size: usize) -> wasmtime::Result<i64> {
        if size == 0 {
            return self.handle.call_async(&mut *store, (0, 0)).await;
        }
        let len = i32::try_from(size).map_err(|_| invalid("the body is too large for a 32-bit memory"))?;
        if matches!(self.served, Served::One) {
            self.served = self.bridge(store).await?;
        }
        if let Served::Several(serve) = &self.served {
            return serve.call_async(&mut *store, len).await;
        }
        let at = self.alloc.call_async(&mut *store, len).await?;
        put(&mut *store, self.memory, at)?;
        let packed = self.handle.call_async(&mut *store, (at, len)).await?;
        self.served = Served::One;
        Ok(packed)
    }

    async fn bridge(&self, store: &mut Store<State>) -> wasmtime::Result<Served> {
        let linked = Arc::clone(&store.data().linked);
        match &linked.mapped.code {
            // What a bridge burns would be counted as the guest's.
            AnyCode::Bytes(code) if !linked.fuel => {
                let bridged =
                    code.bridge.before(store, [*self.alloc.func(), *self.handle.func()], self.memory);
                bridged.await.map(Served::Several)
            }
            _ => Ok(Served::One),
        }
    }

    /// Copies the answer out of the guest.
    fn fetch(&self, store: &mut Store<State>, packed: i64) -> wasmtime::Result<Bytes> {
        // Pointer above, length below, unsigned both.
        let (at, len) = ((packed as u64 >> 32) as usize, packed as u32 as usize);
        let limit = store.data().linked.recipe.limits.response;
        let memory = self.memory.data(&*store);
        // An empty answer points nowhere.
        let answer = if len == 0 { Some(&[][..]) } else { memory.get(at..at.saturating_add(len)) };
        let answer = answer.ok_or_else(|| out_of_bounds(HANDLE, at, len))?;
        if len as u64 > limit {
            return Err(Refused::TooLarge { what: Payload::Response, limit, size: len as u64 }.into());
        }
        Ok(Bytes::copy_from_slice(answer))
    }
}

/// Puts the event's body where the guest wants it.
fn put(mut store: impl AsContextMut<Data = State>, memory: Memory, at: i32) -> wasmtime::Result<()> {
    let start = at.cast_unsigned() as usize;
    let (memory, state) = memory.data_and_store_mut(store.as_context_mut());
    let Some(event) = &state.event else { return Ok(()) };
    let size = event.body().len();
    let room = memory.get_mut(start..start.saturating_add(size));
    let room = room.ok_or_else(|| out_of_bounds(ALLOC, start, size))?;
    room.copy_from_slice(event.body());
    Ok(())
}

fn out_of_bounds(who: &str, at: usize, len: usize) -> wasmtime::Error {
    invalid(format!("{who} gave {len} bytes at {at}, which is out of bounds of its memory"))
}

/// Checks that the exports have the types that the contract says.
fn check_exports(function: &str, module: &Module) -> Result<(), ErrorKind> {
    check_memory(function, module)?;
    let wanted: [(&str, &[ValType], &[ValType], bool); 5] = [
        (ALLOC, &[ValType::I32], &[ValType::I32], true),
        (HANDLE, &[ValType::I32, ValType::I32], &[ValType::I64], true),
        (FREE, &[ValType::I32, ValType::I32], &[], false),
        (INIT, &[], &[ValType::I32], false),
        (INITIALIZE, &[], &[], false),
    ];
    for (name, params, results, needed) in wanted {
        match module.get_export(name) {
            None if needed => {
                return Err(wrong(function, &format!("no {name}"), &signature(name, params, results)));
            }
            None => {}
            Some(ExternType::Func(ty)) if same(ty.params(), params) && same(ty.results(), results) => {}
            Some(other) => {
                return Err(wrong(
                    function,
                    &format!("{name} of type {other:?}"),
                    &signature(name, params, results),
                ));
            }
        }
    }
    Ok(())
}

fn check_memory(function: &str, module: &Module) -> Result<(), ErrorKind> {
    match module.get_export("memory") {
        Some(ExternType::Memory(memory)) if !memory.is_64() && !memory.is_shared() => Ok(()),
        other => {
            let found = other.map_or_else(|| "no memory".into(), |other| format!("memory of type {other:?}"));
            Err(wrong(function, &found, "an unshared 32-bit memory exported as memory"))
        }
    }
}

fn same(types: impl ExactSizeIterator<Item = ValType>, wanted: &[ValType]) -> bool {
    types.len() == wanted.len() && types.zip(wanted).all(|(found, wanted)| ValType::eq(&found, wanted))
}

fn signature(name: &str, params: &[ValType], results: &[ValType]) -> String {
    let list = |types: &[ValType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!("{name}({}) -> ({})", list(params), list(results))
}

fn wrong(function: &str, found: &str, needed: &str) -> ErrorKind {
    ErrorKind::UnknownContract { function: function.into(), found: found.into(), needed: needed.into() }
}
