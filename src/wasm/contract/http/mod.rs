//! Standard HTTP handlers: components that export `wasi:http`.
//!
//! It promises that a request's body is read as the guest reads it and an answer handed on as it is written, both
//! with back-pressure, and that the guest lives until its answer has ended. It spawns nothing: whoever polls the call
//! moves guest and bodies on. An event that came by no HTTP is a CloudEvent in binary mode to such a guest.

#[cfg(not(feature = "http"))]
mod denied;
mod hooks;
mod relay;
#[cfg(feature = "http")]
mod sending;
mod v2;
mod v3;

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;
use wasmtime::Store;
use wasmtime::component::Component;
use wasmtime_wasi_http::p2::bindings::ProxyIndices;
use wasmtime_wasi_http::p3::bindings::ServiceIndices;

#[cfg(not(feature = "http"))]
pub(crate) use self::denied::Sender;
pub(crate) use self::hooks::Side;
#[cfg(feature = "http")]
pub(crate) use self::sending::Sender;
use crate::body::{Incoming, Writer};
use crate::error::{Error, ErrorKind};
use crate::event::{Input, Request, Response};
use crate::wasm::contract::boxed;
use crate::wasm::contract::http::relay::Relay;
use crate::wasm::crowd::Crowd;
use crate::wasm::engine::Shard;
use crate::wasm::state::State;

const INCOMING: &str = "wasi:http/incoming-handler@0.2.";
const HANDLER: &str = "wasi:http/handler@0.3.";

/// A component of this contract, linked on one shard.
pub(crate) struct Code {
    pre: wasmtime::component::InstancePre<State>,
    indices: Indices,
}

enum Indices {
    V2(ProxyIndices),
    V3(ServiceIndices),
}

/// The exports of one live guest.
pub(crate) struct Exports {
    instance: wasmtime::component::Instance,
    version: Version,
}

enum Version {
    V2(v2::Exports),
    V3(v3::Exports),
}

/// Tells whether a component exports a handler of a version that is known.
pub(crate) fn is_component(component: &Component) -> bool {
    exports(component, INCOMING) || exports(component, HANDLER)
}

fn exports(component: &Component, interface: &str) -> bool {
    component.component_type().exports(component.engine()).any(|(name, _)| name.starts_with(interface))
}

impl Code {
    pub(crate) fn link(function: &str, component: &Component, shard: &Shard) -> Result<Self, ErrorKind> {
        let pre = shard.linkers.component(function, component)?;
        let indices = if exports(component, HANDLER) {
            ServiceIndices::new(&pre).map(Indices::V3)
        } else {
            ProxyIndices::new(&pre).map(Indices::V2)
        };
        let indices = indices.map_err(|error| ErrorKind::UnknownContract {
            function: function.into(),
            found: format!("a handler of another type than wasi:http has it ({error:#})"),
            needed: "wasi:http/incoming-handler@0.2 or wasi:http/handler@0.3 as published".into(),
        })?;
        Ok(Self { pre, indices })
    }

    pub(crate) fn serves_several(&self) -> bool {
        matches!(self.indices, Indices::V3(_))
    }

    pub(crate) async fn instantiate(&self, store: &mut Store<State>) -> wasmtime::Result<Exports> {
        let instance = boxed(self.pre.instantiate_async(&mut *store)).await?;
        let version = match &self.indices {
            Indices::V2(indices) => Version::V2(v2::Exports::new(indices.load(&mut *store, &instance)?)),
            Indices::V3(indices) => Version::V3(v3::Exports::new(indices.load(&mut *store, &instance)?)),
        };
        Ok(Exports { instance, version })
    }
}

impl Exports {
    pub(crate) fn instance(&self) -> wasmtime::component::Instance {
        self.instance
    }

    /// Serves whoever comes in, several at once, until nobody waits any more.
    pub(crate) async fn serve(
        &self,
        store: &mut Store<State>,
        inside: &mut mpsc::UnboundedReceiver<Visit>,
        crowd: &Crowd,
    ) -> wasmtime::Result<()> {
        match &self.version {
            Version::V3(exports) => exports.serve(store, inside, crowd).await,
            Version::V2(_) => unreachable!("the deployment was refused"),
        }
    }

    pub(crate) async fn call(
        &self,
        store: &mut Store<State>,
        input: Input,
        sink: Option<Writer>,
    ) -> wasmtime::Result<Result<Response, ErrorKind>> {
        let request = match to_request(input) {
            Ok(request) => request,
            Err(kind) => return Ok(Err(kind)),
        };
        let mut relay = Relay::new(sink, store.data().linked.recipe.limits.response, &request);
        let called = match &self.version {
            Version::V2(exports) => exports.call(store, request, &mut relay).await,
            Version::V3(exports) => exports.call(store, request, &mut relay).await,
        };
        called.map(|called| called.and_then(|()| relay.take_response()))
    }
}

/// One of several requests that a guest serves at once.
pub(crate) struct Visit {
    request: Request,
    relay: Relay,
    deadline: Instant,
    crowd: Arc<Crowd>,
    id: u64,
}

impl Visit {
    /// Makes one of what the handler is given; `limit` is how large the answer may be.
    pub(crate) fn new(
        request: Request,
        (sink, limit): (Option<Writer>, u64),
        deadline: Instant,
        (crowd, id): (Arc<Crowd>, u64),
    ) -> Self {
        let relay = Relay::new(sink, limit, &request);
        Self { request, relay, deadline, crowd, id }
    }
}

/// Makes a request of what the handler is given.
pub(crate) fn to_request(input: Input) -> Result<Request, ErrorKind> {
    let mut request = match input {
        Input::Http(request) => *request,
        Input::Event(event) => {
            let request = crate::event::http::binary::request(&event).map_err(Error::into_kind)?;
            request.map(|body| Incoming::new(http_body_util::Full::new(body)))
        }
    };
    // A guest asks for the authority, and the engine insists on one.
    if request.uri().authority().is_none() && !request.headers().contains_key(http::header::HOST) {
        request.headers_mut().insert(http::header::HOST, http::HeaderValue::from_static("localhost"));
    }
    let host = request.headers().get(http::header::HOST);
    if request.uri().authority().is_none() && host.is_some_and(|host| host.to_str().is_err()) {
        let reason = "it is no text; name the host in ASCII".into();
        return Err(ErrorKind::InvalidEvent { attribute: "host".into(), reason });
    }
    Ok(request)
}
