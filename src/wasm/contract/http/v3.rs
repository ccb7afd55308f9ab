//! `wasi:http/handler@0.3`: an asynchronous function from a request to a response.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use http_body_util::BodyExt;
use wasmtime::Store;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p3::Request as GuestRequest;
use wasmtime_wasi_http::p3::bindings::Service;

use crate::error::ErrorKind;
use crate::event::Request;
use crate::wasm::contract::boxed;
use crate::wasm::contract::http::hooks::{broken_off, refused};
use crate::wasm::contract::http::relay::{Moved, Relay};
use crate::wasm::state::State;

/// Ends when the guest has read the request's body.
type Sent = Pin<Box<dyn Future<Output = Result<(), wasmtime_wasi_http::Error>> + Send>>;

/// The exports of one live guest.
pub(super) struct Exports(Service);

impl Exports {
    pub(super) fn new(service: Service) -> Self {
        Self(service)
    }

    /// Hands the request over; the relay takes the answer.
    ///
    /// What the guest still does after its answer has ended is cut off.
    pub(super) async fn call(
        &self,
        store: &mut Store<State>,
        request: Request,
        relay: &mut Relay,
    ) -> wasmtime::Result<Result<(), ErrorKind>> {
        let service = &self.0;
        let request = request.map(|body| body.map_err(|error| broken_off(&error)));
        let serving = store.run_concurrent(async |accessor| {
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
                Err(error) => Poll::Ready(Err(error)),
            })
            .await
        });
        boxed(serving).await?
    }
}
