//! Answers every request with a small fixed text, for measuring what the host costs. It imports nothing beyond the
//! world `wasi:http/proxy`.

#![no_std]

use dlmalloc::GlobalDlmalloc;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

#[global_allocator]
static MEMORY: GlobalDlmalloc = GlobalDlmalloc;

struct Hello;

impl Guest for Hello {
    fn handle(_: IncomingRequest, out: ResponseOutparam) {
        let response = OutgoingResponse::new(Fields::new());
        let body = response.body().expect("a new response has its body");
        ResponseOutparam::set(out, Ok(response));
        let stream = body.write().expect("a new body has its stream");
        stream.blocking_write_and_flush(b"Hello, world!\n").expect("the client reads");
        drop(stream);
        OutgoingBody::finish(body, None).expect("the body has no declared length");
    }
}

wasip2::http::proxy::export!(Hello);

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
