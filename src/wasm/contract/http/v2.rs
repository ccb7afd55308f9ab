//! `wasi:http/incoming-handler@0.2`: the guest is given a place to put its answer.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use http::uri::Scheme as UriScheme;
use http_body_util::BodyExt;
use parking_lot::Mutex;
use wasmtime::Store;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use crate::error::ErrorKind;
use crate::event::Request;
use crate::wasm::contract::boxed;
use crate::wasm::contract::http::hooks::{broken_off, refused};
use crate::wasm::contract::http::relay::{Moved, Relay};
use crate::wasm::state::State;

/// What the guest puts where its answer belongs.
type Put = Result<http::Response<HyperOutgoingBody>, ErrorCode>;

/// The exports of one live guest.
pub(super) struct Exports(Proxy);

impl Exports {
    pub(super) fn new(proxy: Proxy) -> Self {
        Self(proxy)
    }

    /// Hands the request over; the relay takes the answer.
    pub(super) async fn call(
        &self,
        store: &mut Store<State>,
        request: Request,
        relay: &mut Relay,
    ) -> wasmtime::Result<Result<(), ErrorKind>> {
        let scheme =
            if request.uri().scheme() == Some(&UriScheme::HTTPS) { Scheme::Https } else { Scheme::Http };
        let place: Arc<Mutex<Option<Put>>> = Arc::default();
        let mut http = store.data_mut().http();
        let request =
            http.new_incoming_request(scheme, request.map(|body| body.map_err(|error| broken_off(&error))))?;
        let out = http.new_response_outparam_from_callback({
            let place = Arc::clone(&place);
            move |put| *place.lock() = Some(put)
        })?;
        let handler = self.0.wasi_http_incoming_handler();
        let mut guest = boxed(handler.call_handle(&mut *store, request, out));
        let (mut has_ended, mut code) = (false, None);
        poll_fn(|cx| {
            if !has_ended && let Poll::Ready(ended) = guest.as_mut().poll(cx) {
                ended?;
                has_ended = true;
            }
            if !relay.has_head() {
                match place.lock().take() {
                    Some(Ok(response)) => {
                        if let Err(excess) = relay.begin(response) {
                            return Poll::Ready(Ok(Err(excess)));
                        }
                    }
                    Some(Err(given)) => code = Some(given),
                    None => {}
                }
            }
            if let Some(code) = code.as_ref().filter(|_| has_ended) {
                return Poll::Ready(Ok(Err(refused(&format!("{code:?}")))));
            }
            let moved = match relay.advance(cx) {
                Ok(moved) => moved,
                Err(kind) => return Poll::Ready(Ok(Err(kind))),
            };
            match (moved, has_ended) {
                (Moved::Over, false) => {
                    relay.release();
                    Poll::Pending
                }
                (Moved::Blocked, _) | (_, false) => Poll::Pending,
                // Nobody is left to write more, or to set what was never set.
                (Moved::Over | Moved::Starved, true) => Poll::Ready(Ok(relay.abandon())),
            }
        })
        .await
    }
}
