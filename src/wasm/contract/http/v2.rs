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

/// How often a guest is polled in a row while it writes: most small answers are whole then, and others on the thread
/// wait as many ticks at most.
const ROUNDS: u32 = 4;

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
        let (mut has_ended, mut refusal) = (false, None);
        poll_fn(|cx| {
            let mut rounds = 0;
            loop {
                if !has_ended && let Poll::Ready(ended) = guest.as_mut().poll(cx) {
                    ended?;
                    has_ended = true;
                }
                if refusal.is_none() {
                    refusal = take_head(&place, relay);
                }
                match &refusal {
                    // A guest that answered with an error may serve again, if it is let return.
                    Some(ErrorKind::Failed(_)) if !has_ended => return Poll::Pending,
                    Some(_) => return Poll::Ready(Ok(refusal.take().map_or(Ok(()), Err))),
                    None => {}
                }
                rounds += 1;
                let moved = match relay.advance(cx) {
                    Ok(moved) => moved,
                    Err(kind) => return Poll::Ready(Ok(Err(kind))),
                };
                match (moved, has_ended) {
                    // Nobody is left to write more, or to set what was never set.
                    (Moved::Over | Moved::Starved, true) => return Poll::Ready(Ok(relay.abandon())),
                    // The room that this made is mostly all that the guest waits for.
                    (Moved::Starved, false) if relay.take_passed() && rounds < ROUNDS => {}
                    (Moved::Over, false) => {
                        relay.release();
                        return Poll::Pending;
                    }
                    (Moved::Blocked, _) | (Moved::Starved, false) => return Poll::Pending,
                }
            }
        })
        .await
    }
}

/// Gives the relay the head once the guest has put it there; answers what refuses the answer.
fn take_head(place: &Mutex<Option<Put>>, relay: &mut Relay) -> Option<ErrorKind> {
    if relay.has_head() {
        return None;
    }
    match place.lock().take()? {
        Ok(response) => relay.begin(response).err(),
        Err(code) => Some(refused(&format!("{code:?}"))),
    }
}
