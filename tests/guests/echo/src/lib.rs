//! The smallest guest: answers the body as it came, for measuring what the host costs.

#![no_std]

extern crate alloc;

mod arena;

use alloc::vec::Vec;

wit_bindgen::generate!({ path: "../../../wit", world: "fnhost:function/function" });

use exports::fnhost::function::handler::{Event, Failure, Guest, Response};

struct Echo;

impl Guest for Echo {
    fn handle(event: Event) -> Result<Response, Failure> {
        Ok(Response { content_type: event.data_content_type, attributes: Vec::new(), body: event.body })
    }
}

export!(Echo);

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
