//! `wasi:http/handler@0.3`: an asynchronous function from a request to a response.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use futures_util::Stream;
use futures_util::stream::FuturesUnordered;
use http::Uri;
use http::uri::{Authority, Scheme};
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use wasmtime::Store;
use wasmtime::component::Accessor;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p3::Request as GuestRequest;
use wasmtime_wasi_http::p3::bindings::Service;

use crate::error::ErrorKind;
use crate::event::Request;
use crate::wasm::contract::boxed;
use crate::wasm::contract::http::Visit;
use crate::wasm::contract::http::hooks::{broken_off, refused};
use crate::wasm::contract::http::relay::{Moved, Relay};
use crate::wasm::crowd::Crowd;
use crate::wasm::state::State;

/// Ends when the guest has read the request's body.
type Sent = Pin<Box<dyn Future<Output = Result<(), wasmtime_wasi_http::Error>> + Send>>;

/// Turns of the engine's loop that a guest has to return after its answer has ended.
const LAST_TURNS: u32 = 8;

/// The exports of one live guest.
pub(super) struct Exports(Service);

impl Exports {
    pub(super) fn new(service: Service) -> Self {
        Self(service)
    }

    /// Hands the request over; the relay takes the answer.
    ///
    /// What the guest still does after its answer has ended is cut off, and the guest serves no more.
    pub(super) async fn call(
        &self,
        store: &mut Store<State>,
        request: Request,
        relay: &mut Relay,
    ) -> wasmtime::Result<Result<(), ErrorKind>> {
        let service = &self.0;
        let serving = store.run_concurrent(async |accessor| {
            let served = serve_one(service, accessor, request, relay).await?;
            note_unfinished(accessor).await;
            Ok(served)
        });
        boxed(serving).await?
    }
}

impl Exports {
    /// Serves whoever comes in, several at once, until nobody waits any more and the guest has ended its tasks.
    pub(super) async fn serve(
        &self,
        store: &mut Store<State>,
        inside: &mut mpsc::UnboundedReceiver<Visit>,
        crowd: &Crowd,
    ) -> wasmtime::Result<()> {
        let service = &self.0;
        let serving = store.run_concurrent(async |accessor| {
            let mut visits = FuturesUnordered::new();
            poll_fn(|cx| {
                loop {
                    while let Poll::Ready(Some(visit)) = inside.poll_recv(cx) {
                        visits.push(receive(service, accessor, visit));
                    }
                    match Pin::new(&mut visits).poll_next(cx) {
                        Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                        Poll::Ready(Some(Ok(()))) => {}
                        // Who joined last may be about to hand his request in.
                        Poll::Ready(None) if crowd.is_empty(cx.waker()) => {
                            return accessor.poll_no_interesting_tasks(cx).map(Ok);
                        }
                        Poll::Ready(None) | Poll::Pending => return Poll::Pending,
                    }
                }
            })
            .await
        });
        boxed(serving).await?
    }
}

/// Notes whether the guest still works on something, which would go on in the next event.
async fn note_unfinished(accessor: &Accessor<State>) {
    let mut turns = 0;
    let is_over = poll_fn(|cx| match accessor.poll_no_interesting_tasks(cx) {
        Poll::Ready(()) => Poll::Ready(true),
        Poll::Pending if turns >= LAST_TURNS => Poll::Ready(false),
        Poll::Pending => {
            turns += 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
    accessor.with(|mut store| store.data_mut().unfinished = !is_over);
}

/// Serves one of several requests.
async fn receive(service: &Service, accessor: &Accessor<State>, visit: Visit) -> wasmtime::Result<()> {
    let Visit { request, mut relay, deadline, crowd, id } = visit;
    accessor.with(|mut store| {
        let state = store.data_mut();
        state.deadline = state.deadline.max(deadline);
        let latest = state.deadline;
        // Whoever came last; what is under way keeps the budget that it began with.
        if let Some(sender) = state.sender() {
            if sender.is_overdue() {
                // Nobody knows whose it was; what it holds comes back when the guest goes.
                crowd.retire();
            }
            sender.begin(latest, crowd.tenant().clone());
        }
    });
    let served = serve_one(service, accessor, request, &mut relay).await?;
    if served.as_ref().is_err_and(|kind| !matches!(kind, ErrorKind::Failed(_))) {
        // Its own fault, and not the others'; but what is left of it in there is unknown.
        crowd.retire();
    }
    // Before who reads learns of the end, so that the request ends with its body.
    crowd.answer(id, served.and_then(|()| relay.take_response()));
    Ok(())
}

async fn serve_one(
    service: &Service,
    accessor: &Accessor<State>,
    request: Request,
    relay: &mut Relay,
) -> wasmtime::Result<Result<(), ErrorKind>> {
    let request = with_authority(request).map(|body| body.map_err(|error| broken_off(&error)));
    let (request, sent) = accessor.with(|mut store| {
        let hooks = store.data_mut().http().hooks;
        let (request, sent) = GuestRequest::from_http(hooks, request);
        // Its type says that it borrows the hooks, and it does not.
        (request, Box::pin(sent) as Sent)
    });
    let response = match service.handle(accessor, request).await? {
        Ok(response) => response,
        Err(code) => return Ok(Err(refused(&format!("{code:?}")))),
    };
    if let Err(excess) = relay.begin(accessor.with(|store| response.into_http(store, sent))?) {
        return Ok(Err(excess));
    }
    poll_fn(|cx| match relay.advance(cx) {
        Ok(Moved::Over) => Poll::Ready(Ok(Ok(()))),
        Ok(Moved::Starved | Moved::Blocked) => Poll::Pending,
        Err(kind) => Poll::Ready(Ok(Err(kind))),
    })
    .await
}

/// Puts the host into the URI, where the guest looks for it: over HTTP/1.1 it came as a header.
fn with_authority(mut request: Request) -> Request {
    if request.uri().authority().is_some() {
        return request;
    }
    let host =
        request.headers().get(http::header::HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let mut parts = request.uri().clone().into_parts();
    parts.scheme.get_or_insert(Scheme::HTTP);
    parts.authority = host;
    if parts.authority.is_some()
        && let Ok(uri) = Uri::from_parts(parts)
    {
        *request.uri_mut() = uri;
    }
    request
}
