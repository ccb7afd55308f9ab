//! Answers every request with a small fixed text, for measuring what the host costs. It imports nothing beyond the
//! world `wasi:http/service`.

#![no_std]

extern crate alloc;

use alloc::vec::Vec;

use dlmalloc::GlobalDlmalloc;
use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{spawn_local, wit_future, wit_stream};

#[global_allocator]
static MEMORY: GlobalDlmalloc = GlobalDlmalloc;

struct Hello;

impl Guest for Hello {
    async fn handle(_: Request) -> Result<Response, ErrorCode> {
        let (mut stream, body) = wit_stream::new();
        // Dropped, it says that there are no trailers.
        let (_, trailers) = wit_future::new(|| Ok(None));
        let (response, _) = Response::new(Fields::new(), Some(body), trailers);
        spawn_local(async move { stream.write_all(Vec::from(b"Hello, world!\n")).await });
        Ok(response)
    }
}

wasip3::http::service::export!(Hello);

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
