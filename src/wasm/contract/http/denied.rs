//! Requests of guests to the outside, where the library is built without them.

use std::sync::Arc;
use std::time::Instant;

use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use crate::report::OutboundUse;
use crate::wasm::contract::http::hooks::Sent;

/// Refuses the requests of guests.
pub(crate) struct Sender;

impl Sender {
    pub(crate) fn begin(&mut self, _: Instant, _: Option<Arc<str>>) {}

    pub(crate) fn end(&mut self) -> Option<Box<OutboundUse>> {
        None
    }

    pub(crate) fn is_holding(&self) -> bool {
        false
    }

    pub(crate) fn is_overdue(&self) -> bool {
        false
    }

    pub(crate) fn send(&mut self, _: http::Request<WasiBody>, _: Option<RequestOptions>) -> Sent {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}
