//! Our own contract: a component that takes a typed event and answers a typed response.

// The derives below write the engine's unsafe traits; nothing here is written by hand.
#![allow(unsafe_code, reason = "derived implementations of the engine's traits")]

use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentType, InstancePre, Lift, Lower, TypedFunc,
};
use wasmtime::{Store, StoreContextMut};

use crate::error::{ErrorKind, Failure, Payload};
use crate::event::{Event, Response};
use crate::wasm::contract::{boxed, quietly, shape};
use crate::wasm::engine::Shard;
use crate::wasm::linker;
use crate::wasm::state::State;

const HANDLER: &str = "fnhost:function/handler";
const INIT: &str = "fnhost:function/init";
const CONTEXT: &str = "fnhost:function/context@0.1.0";
const HOST: &str = "fnhost:function/host@0.1.0";

#[derive(ComponentType, Lower)]
#[component(record)]
struct WitEvent {
    id: Arc<str>,
    source: String,
    #[component(name = "type")]
    event_type: String,
    subject: Option<String>,
    time: Option<String>,
    #[component(name = "data-content-type")]
    data_content_type: Option<String>,
    #[component(name = "data-schema")]
    data_schema: Option<String>,
    extensions: Vec<(String, String)>,
    body: Bytes,
}

#[derive(ComponentType, Lift)]
#[component(record)]
struct WitResponse {
    #[component(name = "content-type")]
    content_type: Option<String>,
    attributes: Vec<(String, String)>,
    body: Vec<u8>,
}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct WitFailure {
    kind: String,
    message: String,
    retryable: bool,
}

impl From<Failure> for WitFailure {
    fn from(failure: Failure) -> Self {
        Self {
            kind: failure.kind().into(),
            message: failure.message().into(),
            retryable: failure.is_retryable(),
        }
    }
}

impl From<Event> for WitEvent {
    fn from(event: Event) -> Self {
        let parts = event.into_parts();
        Self {
            id: parts.id,
            source: parts.source.into_owned(),
            event_type: parts.event_type,
            subject: parts.subject,
            time: parts.time,
            data_content_type: parts.content_type.map(Into::into),
            data_schema: parts.data_schema,
            extensions: parts.extensions.into_iter().map(|(name, value)| (name, value.to_string())).collect(),
            body: parts.body,
        }
    }
}

type Handle = TypedFunc<(WitEvent,), (Result<WitResponse, WitFailure>,)>;
type Init = TypedFunc<(), (Result<(), String>,)>;

/// A component of this contract, linked on one shard.
pub(crate) struct Code {
    pre: InstancePre<State>,
    handle: ComponentExportIndex,
    init: Option<ComponentExportIndex>,
}

/// The exports of one live guest.
pub(crate) struct Exports {
    instance: wasmtime::component::Instance,
    handle: Handle,
    init: Option<InitExport>,
}

enum InitExport {
    Ours(Init),
    Named(TypedFunc<(), ()>),
}

/// Finds the handler's interface; one of another version than 0.1 is an error of its own.
pub(crate) fn find_handler(function: &str, component: &Component) -> Result<Option<String>, ErrorKind> {
    let Some(name) = find(component, HANDLER) else { return Ok(None) };
    match name.strip_prefix(HANDLER) {
        Some(version) if version.starts_with("@0.1.") => Ok(Some(name)),
        version => Err(ErrorKind::Link {
            function: function.into(),
            wanted: version.and_then(|version| version.strip_prefix('@')).unwrap_or("no version").into(),
            import: name.clone(),
            offered: "0.1.0".into(),
            fix: "build it against the WIT package of this fnhost".into(),
        }),
    }
}

/// The type of `handle`, as `shape` writes it.
const HANDLE_TYPE: &str = "({id: string, source: string, type: string, subject: option<string>, time: option<string>, \
    data-content-type: option<string>, data-schema: option<string>, extensions: list<tuple<string, string>>, \
    body: list<u8>}) -> (result<{content-type: option<string>, attributes: list<tuple<string, string>>, \
    body: list<u8>}, {kind: string, message: string, retryable: bool}>)";
/// The type of `init`, as `shape` writes it.
const INIT_TYPE: &str = "() -> (result<_, string>)";

/// Finds an exported function of the given type, or says what is there instead.
fn typed(
    component: &Component,
    instance: &ComponentExportIndex,
    name: &str,
    wanted: &str,
) -> Result<ComponentExportIndex, String> {
    match component.get_export(Some(instance), name) {
        Some((ComponentItem::ComponentFunc(ty), index)) => {
            let found = shape::function(&ty);
            if found == wanted { Ok(index) } else { Err(found) }
        }
        Some(_) => Err("something that is no function".into()),
        None => Err("nothing".into()),
    }
}

/// Finds an exported interface, whatever its version.
fn find(component: &Component, interface: &str) -> Option<String> {
    let types = component.component_type();
    let mut names = types.exports(component.engine()).map(|(name, _)| name);
    names.find(|name| name.split('@').next() == Some(interface)).map(Into::into)
}

impl Code {
    pub(crate) fn link(
        function: &str,
        component: &Component,
        shard: &Shard,
        handler: &str,
    ) -> Result<Self, ErrorKind> {
        let pre = shard.linkers.component(function, component)?;
        let wrong = |what: &str| ErrorKind::UnknownContract {
            function: function.into(),
            found: format!("{handler} without {what}"),
            needed: "the interface as fnhost's WIT package has it".into(),
        };
        let instance = component.get_export_index(None, handler).ok_or_else(|| wrong("an instance"))?;
        let handle = typed(component, &instance, "handle", HANDLE_TYPE)
            .map_err(|found| wrong(&format!("{HANDLE_TYPE} as handle, but {found}")))?;
        let init = find(component, INIT).filter(|name| name.starts_with("fnhost:function/init@0.1."));
        let init = init.and_then(|name| component.get_export_index(None, &name));
        let init = init.map(|instance| typed(component, &instance, "init", INIT_TYPE)).transpose();
        let init = init.map_err(|found| wrong(&format!("{INIT_TYPE} as init, but {found}")))?;
        Ok(Self { pre, handle, init })
    }

    pub(crate) fn has_init(&self) -> bool {
        self.init.is_some()
    }

    pub(crate) fn check_init(&self, export: &str) -> Result<(), String> {
        match self.pre.component().get_export(None, export) {
            Some((ComponentItem::ComponentFunc(ty), _))
                if ty.params().len() == 0 && ty.results().len() == 0 =>
            {
                Ok(())
            }
            _ => Err(format!(
                "the component exports no function {export:?} without parameters and results; correct \
                 `init_export` or leave it out"
            )),
        }
    }

    pub(crate) async fn instantiate(&self, store: &mut Store<State>) -> wasmtime::Result<Exports> {
        let instance = if store.data().linked.is_quiet {
            quietly(store, |store| self.pre.instantiate(store))?
        } else {
            boxed(self.pre.instantiate_async(&mut *store)).await?
        };
        let handle = instance.get_typed_func(&mut *store, self.handle)?;
        let linked = &store.data().linked;
        let named = linked.recipe.init_export.clone();
        let init = match (named, &self.init) {
            _ if linked.is_initialized => None,
            (Some(name), _) => Some(InitExport::Named(instance.get_typed_func(&mut *store, &*name)?)),
            (None, Some(init)) => Some(InitExport::Ours(instance.get_typed_func(&mut *store, init)?)),
            (None, None) => None,
        };
        Ok(Exports { instance, handle, init })
    }
}

impl Exports {
    pub(crate) fn instance(&self) -> wasmtime::component::Instance {
        self.instance
    }

    pub(crate) fn has_init(&self) -> bool {
        self.init.is_some()
    }

    pub(crate) async fn init(&self, store: &mut Store<State>) -> wasmtime::Result<Result<(), String>> {
        match &self.init {
            Some(InitExport::Ours(init)) => Ok(boxed(init.call_async(store, ())).await?.0),
            Some(InitExport::Named(init)) => boxed(init.call_async(store, ())).await.map(Ok),
            None => Ok(Ok(())),
        }
    }

    pub(crate) async fn call(
        &self,
        store: &mut Store<State>,
        event: Event,
    ) -> wasmtime::Result<Result<Response, ErrorKind>> {
        let (answer,) = boxed(self.handle.call_async(&mut *store, (event.into(),))).await?;
        let limit = store.data().linked.recipe.limits.response;
        Ok(match answer {
            Err(failure) => Err(ErrorKind::Failed(
                Failure::new(failure.kind, failure.message).with_retryable(failure.retryable),
            )),
            Ok(response) if response.body.len() as u64 > limit => Err(ErrorKind::PayloadTooLarge {
                what: Payload::Response,
                limit,
                size: response.body.len() as u64,
            }),
            Ok(WitResponse { content_type, attributes, body }) => {
                Response::from_parts(content_type, attributes, body.into())
                    .map_err(|reason| ErrorKind::InvalidAnswer { reason })
            }
        })
    }
}

/// Defines what a component of this contract may import.
pub(crate) fn define(linker: &mut wasmtime::component::Linker<State>) -> wasmtime::Result<()> {
    define_context(&mut linker.instance(CONTEXT)?)?;
    define_host(&mut linker.instance(HOST)?)?;
    define_logging(&mut linker.instance(linker::LOGGING)?)
}

type Instance<'a> = wasmtime::component::LinkerInstance<'a, State>;
type Caller<'a> = StoreContextMut<'a, State>;

fn define_context(context: &mut Instance<'_>) -> wasmtime::Result<()> {
    context.func_wrap("request-id", |store: Caller<'_>, ()| {
        Ok((store.data().context.as_ref().map_or_else(String::new, |c| c.request_id().to_string()),))
    })?;
    context
        .func_wrap("function-name", |store: Caller<'_>, ()| Ok((store.data().linked.facts.name.clone(),)))?;
    context
        .func_wrap("function-version", |store: Caller<'_>, ()| Ok((store.data().linked.facts.version,)))?;
    context.func_wrap("attempt", |store: Caller<'_>, ()| {
        Ok((store.data().context.as_ref().map_or(0, |context| context.attempt()),))
    })?;
    context.func_wrap("remaining-ms", |store: Caller<'_>, ()| Ok((store.data().remaining_ms(),)))?;
    context
        .func_wrap("memory-limit", |store: Caller<'_>, ()| Ok((store.data().linked.facts.memory_limit,)))?;
    context.func_wrap("tenant", |store: Caller<'_>, ()| {
        Ok((store.data().context.as_ref().and_then(|context| context.tenant().map(String::from)),))
    })?;
    context.func_wrap("traceparent", |store: Caller<'_>, ()| {
        Ok((store.data().context.as_ref().and_then(|context| context.traceparent().map(String::from)),))
    })?;
    context.func_wrap("attribute", |store: Caller<'_>, (name,): (String,)| {
        Ok((store.data().context.as_ref().and_then(|context| context.attribute(&name).map(String::from)),))
    })
}

fn define_host(host: &mut Instance<'_>) -> wasmtime::Result<()> {
    host.func_wrap_async("call", |mut store: Caller<'_>, (name, body): (String, Vec<u8>)| {
        Box::new(async move {
            let answer = linker::call_granted(store.data_mut(), &name, body.into()).await;
            Ok((answer.map_err(WitFailure::from),))
        })
    })
}

fn define_logging(logging: &mut Instance<'_>) -> wasmtime::Result<()> {
    logging.func_wrap("log", |mut store: Caller<'_>, (level, context, message): (Level, String, String)| {
        let text = if context.is_empty() { message } else { format!("{context}: {message}") };
        store.data_mut().log_message(level.into(), text.as_bytes());
        Ok(())
    })
}

#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "the engine makes them of what the guest gives")]
enum Level {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
    #[component(name = "critical")]
    Critical,
}

impl From<Level> for tracing::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::TRACE,
            Level::Debug => Self::DEBUG,
            Level::Info => Self::INFO,
            Level::Warn => Self::WARN,
            Level::Error | Level::Critical => Self::ERROR,
        }
    }
}
