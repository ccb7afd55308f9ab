//! Commands: the event on stdin, its attributes as variables, the answer on stdout.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use wasmtime::component::Component;
use wasmtime::{ExternType, Module, Store, TypedFunc};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings::{Command, CommandIndices};
use wasmtime_wasi::p2::pipe::MemoryInputPipe;

use crate::body::Writer;
use crate::context::Context;
use crate::error::ErrorKind;
use crate::event::{Event, Response};
use crate::wasm::contract::{Live, boxed, stdio};
use crate::wasm::engine::Shard;
use crate::wasm::state::State;

const RUN: &str = "wasi:cli/run@0.2.";
const START: &str = "_start";

/// A command, linked on one shard.
pub(crate) enum Code {
    Component(wasmtime::component::InstancePre<State>, CommandIndices),
    Module(wasmtime::InstancePre<State>),
}

/// One live command; it runs once.
pub(crate) enum Exports {
    Component(Command, wasmtime::component::Instance),
    Module(TypedFunc<(), ()>, wasmtime::Instance),
}

pub(crate) fn is_component(component: &Component) -> bool {
    component.component_type().exports(component.engine()).any(|(name, _)| name.starts_with(RUN))
}

pub(crate) fn is_module(module: &Module) -> bool {
    let export = module.get_export(START);
    matches!(export, Some(ExternType::Func(ty)) if ty.params().len() == 0 && ty.results().len() == 0)
}

impl Code {
    pub(crate) fn link_component(
        function: &str,
        component: &Component,
        shard: &Shard,
    ) -> Result<Self, ErrorKind> {
        let pre = shard.linkers.component(function, component)?;
        let indices = CommandIndices::new(&pre).map_err(|error| ErrorKind::UnknownContract {
            function: function.into(),
            found: format!("wasi:cli/run of another type ({error:#})"),
            needed: "run: func() -> result".into(),
        })?;
        Ok(Self::Component(pre, indices))
    }

    pub(crate) fn link_module(function: &str, module: &Module, shard: &Shard) -> Result<Self, ErrorKind> {
        shard.linkers.module(function, module).map(Self::Module)
    }

    pub(crate) fn is_module(&self) -> bool {
        matches!(self, Self::Module(_))
    }

    pub(crate) async fn instantiate(&self, store: &mut Store<State>) -> wasmtime::Result<Exports> {
        Ok(match self {
            Self::Component(pre, indices) => {
                let instance = boxed(pre.instantiate_async(&mut *store)).await?;
                Exports::Component(indices.load(&mut *store, &instance)?, instance)
            }
            Self::Module(pre) => {
                let instance = boxed(pre.instantiate_async(&mut *store)).await?;
                Exports::Module(instance.get_typed_func(&mut *store, START)?, instance)
            }
        })
    }
}

impl Exports {
    pub(crate) fn live(&self) -> Live {
        match self {
            Self::Component(_, instance) => Live::Component(*instance),
            Self::Module(_, instance) => Live::Module(*instance),
        }
    }

    pub(crate) async fn call(
        &self,
        store: &mut Store<State>,
        event: Event,
        sink: Option<Writer>,
    ) -> wasmtime::Result<Result<Response, ErrorKind>> {
        let answer = stdio::Answer::new(sink, store.data().linked.recipe.limits.response);
        give_event(store.data_mut(), &event, &answer)?;
        drop(event);
        let ran = match self {
            Self::Component(command, _) => boxed(command.wasi_cli_run().call_run(&mut *store)).await,
            Self::Module(start, _) => start.call_async(&mut *store, ()).await.map(Ok),
        };
        let code = match ran {
            Ok(Ok(())) => 0,
            Ok(Err(())) => 1,
            // The engine reports every exit as a trap, also one with 0.
            Err(error) => match error.downcast_ref::<I32Exit>() {
                Some(exit) => exit.0,
                None => return Err(error),
            },
        };
        // With 0 it succeeded; the caller makes an error of any other code, which is the engine's exit.
        if code == 0 { Ok(Ok(Response::from_bytes(answer.take()))) } else { Err(I32Exit(code).into()) }
    }
}

/// Gives the command its event: stdin, variables and arguments, and a stdout that is the answer.
fn give_event(state: &mut State, event: &Event, answer: &stdio::Answer) -> wasmtime::Result<()> {
    let log = state.log().clone();
    let recipe = &state.linked.recipe;
    let mut builder = recipe.wasi(&state.linked.facts.name)?;
    if recipe.event_variables {
        for (name, value) in variables(event, &state.context()) {
            // What the function was given wins.
            if !recipe.env.iter().any(|(known, _)| *known == name) {
                builder.env(name, value);
            }
        }
    }
    builder
        .stdin(MemoryInputPipe::new(event.body().clone()))
        .stdout(answer.clone())
        .stderr(stdio::log(&log, stdio::Source::Stderr));
    state.set_wasi(&mut builder);
    Ok(())
}

fn variables(event: &Event, context: &Context) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = vec![
        ("CE_ID".into(), event.id().into()),
        ("CE_SOURCE".into(), event.source().into()),
        ("CE_TYPE".into(), event.event_type().into()),
    ];
    let mut add =
        |name: &str, value: Option<&str>| all.extend(value.map(|value| (name.into(), value.into())));
    add("CE_SUBJECT", event.subject());
    add("CE_TIME", event.time());
    add("CE_DATACONTENTTYPE", event.content_type());
    add("CE_DATASCHEMA", event.data_schema());
    for (name, value) in event.extensions() {
        add(&format!("CE_{}", name.to_uppercase()), Some(&value.to_string()));
    }
    add("FNHOST_REQUEST_ID", Some(&context.request_id().to_string()));
    add("FNHOST_FUNCTION", Some(context.function()));
    add("FNHOST_VERSION", Some(&context.version().to_string()));
    add("FNHOST_ATTEMPT", Some(&context.attempt().to_string()));
    add("FNHOST_DEADLINE_MS", context.deadline().map(unix_ms).map(|ms| ms.to_string()).as_deref());
    add("FNHOST_MEMORY_LIMIT", Some(&context.memory_limit().to_string()));
    add("FNHOST_TENANT", context.tenant());
    add("TRACEPARENT", context.traceparent());
    all
}

fn unix_ms(deadline: Instant) -> u128 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (now + deadline.saturating_duration_since(Instant::now())).as_millis()
}
