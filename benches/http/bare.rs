//! The bare engine where a host has it best: an engine for each thread, set up as ours are, and a guest that is polled in
//! the task of its connection; a new sandbox for each request. It keeps no deadline, no limit and no report.

use std::convert::Infallible;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::{Error, WasiHttpView, p2};

use crate::floor;
use crate::twin::{Host, Pool};

/// More ticks than the process lives.
const NEVER: u64 = 1 << 40;

/// Serves until the process ends.
pub(crate) fn run(code: &[u8], listener: &TcpListener) {
    floor::run(listener, || {
        let ready = Arc::new(ready_to_make(code).expect("the guest compiles, and all is linked"));
        service_fn(move |request: http::Request<Incoming>| {
            let ready = Arc::clone(&ready);
            async move { Ok::<_, Infallible>(handle(ready, request).await) }
        })
    });
}

fn ready_to_make(code: &[u8]) -> wasmtime::Result<ProxyPre<Host>> {
    let mut config = Config::new();
    config.concurrency_support(false).epoch_interruption(true).allocation_strategy(Pool::Tuned.config());
    let engine = Engine::new(&config)?;
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    p2::add_only_http_to_linker_async(&mut linker)?;
    ProxyPre::new(linker.instantiate_pre(&Component::new(&engine, code)?)?)
}

type Guest = Pin<Box<dyn Future<Output = wasmtime::Result<()>> + Send>>;
/// Where the guest puts its answer.
type Place = Arc<Mutex<Option<http::Response<HyperOutgoingBody>>>>;

async fn handle(ready: Arc<ProxyPre<Host>>, request: http::Request<Incoming>) -> http::Response<Answer> {
    let place = Place::default();
    let mut guest: Option<Guest> = Some(Box::pin(serve(ready, request, Arc::clone(&place))));
    let head = std::future::poll_fn(|cx| {
        poll_guest(&mut guest, cx);
        let put = place.lock().unwrap_or_else(PoisonError::into_inner).take();
        put.map_or(Poll::Pending, Poll::Ready)
    })
    .await;
    head.map(|body| Answer { body, guest })
}

async fn serve(
    ready: Arc<ProxyPre<Host>>,
    request: http::Request<Incoming>,
    place: Place,
) -> wasmtime::Result<()> {
    let mut store = Store::new(ready.engine(), Host::new());
    store.set_epoch_deadline(NEVER);
    let proxy = ready.instantiate_async(&mut store).await?;
    let mut http = store.data_mut().http();
    let request = request.map(|body| body.map_err(|_| Error::ConnectionTerminated));
    let request = http.new_incoming_request(Scheme::Http, request)?;
    let out = http.new_response_outparam_from_callback(move |put| {
        *place.lock().unwrap_or_else(PoisonError::into_inner) = put.ok();
    })?;
    proxy.wasi_http_incoming_handler().call_handle(&mut store, request, out).await
}

/// Moves the guest on, if there is one; it goes when it has ended.
fn poll_guest(guest: &mut Option<Guest>, cx: &mut Context<'_>) {
    if let Some(running) = guest
        && let Poll::Ready(ended) = running.as_mut().poll(cx)
    {
        ended.expect("the guest answers");
        *guest = None;
    }
}

/// What the guest is still writing.
struct Answer {
    body: HyperOutgoingBody,
    guest: Option<Guest>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        poll_guest(&mut self.guest, cx);
        Pin::new(&mut self.body).poll_frame(cx)
    }
}
