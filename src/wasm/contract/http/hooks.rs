//! What stands beside a guest that speaks HTTP.

use http::HeaderName;
use http::uri::Scheme;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpCtx,
    WasiHttpHooks,
};

use crate::body::{BoxError, TooLong};
use crate::error::{ErrorKind, Failure};
use crate::wasm::contract::http::Sender;

/// Names and values of the headers that a guest keeps in one set, together.
const MOST_FIELD_BYTES: usize = 64 << 10;
/// What a guest may write of a body at once.
const CHUNK: usize = 64 << 10;
/// How many such chunks may be under way: with one alone, a guest would have to wait after each write until it is taken.
const CHUNKS: usize = 2;

/// What stands beside a guest that speaks HTTP.
pub(crate) struct Side {
    pub(crate) ctx: WasiHttpCtx,
    pub(crate) hooks: Hooks,
}

/// Decides what the engine leaves to the host.
pub(crate) struct Hooks {
    /// None where every request is refused.
    pub(crate) sender: Option<Sender>,
}

impl Side {
    pub(crate) fn new(sender: Option<Sender>) -> Self {
        let mut ctx = WasiHttpCtx::new();
        ctx.set_field_size_limit(MOST_FIELD_BYTES);
        Self { ctx, hooks: Hooks { sender } }
    }
}

/// A request on its way, as the engine wants it.
pub(super) type Sent = Box<
    dyn Future<
            Output = Result<
                (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>),
                Error,
            >,
        > + Send,
>;

impl WasiHttpHooks for Hooks {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        is_forbidden(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        std::sync::Arc::new(is_forbidden)
    }

    fn is_supported_scheme(&mut self, scheme: &Scheme) -> bool {
        *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Sent {
        match &mut self.sender {
            Some(sender) => sender.send(request, options),
            None => Box::new(async { Err(Error::HttpRequestDenied) }),
        }
    }

    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        CHUNKS
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }
}

fn is_forbidden(name: &HeaderName) -> bool {
    DEFAULT_FORBIDDEN_HEADERS.contains(name)
}

/// Tells the guest why the rest of a request's body does not come.
pub(super) fn broken_off(error: &BoxError) -> Error {
    match error.downcast_ref::<TooLong>() {
        Some(TooLong { limit }) => Error::HttpRequestBodySize(Some(*limit)),
        None => Error::ConnectionTerminated,
    }
}

/// Makes the error of a guest that answered with an error code.
pub(super) fn refused(code: &str) -> ErrorKind {
    ErrorKind::Failed(Failure::new("http-error", format!("the handler answered with the error {code}")))
}
