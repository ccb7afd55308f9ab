//! A price plug-in that does not behave. It takes the events of `plugin-good`; the quantity says
//! what it tries:
//!
//! - 13: never ends
//! - 14: takes all the memory there is
//! - 15: panics
//! - 16: reads `/etc/passwd`
//! - 17: calls the host function `secrets.read`, which nobody granted
//!
//! For any other quantity it sells for nothing.

use std::fs;
use std::hint::black_box;

use serde::{Deserialize, Serialize};

wit_bindgen::generate!({ path: "../../../wit", world: "fnhost:function/function" });

use exports::fnhost::function::handler::{Event, Failure, Guest, Response};
use fnhost::function::host;

const MIB: usize = 1 << 20;

struct Plugin;

#[derive(Deserialize)]
struct Order {
    sku: String,
    quantity: u64,
}

#[derive(Serialize)]
struct Total {
    sku: String,
    quantity: u64,
    total_cents: u64,
}

impl Guest for Plugin {
    fn handle(event: Event) -> Result<Response, Failure> {
        let order: Order =
            serde_json::from_slice(&event.body).map_err(|error| failure("bad-request", error))?;
        match order.quantity {
            13 => spin(),
            14 => take_all_memory(),
            15 => panic!("the plug-in panicked at quantity 15"),
            16 => read_passwords(),
            17 => read_secrets(),
            _ => sell_for_nothing(order),
        }
    }
}

fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

fn take_all_memory() -> ! {
    let mut taken: Vec<Vec<u8>> = Vec::new();
    loop {
        taken.push(black_box(vec![1; MIB]));
    }
}

fn read_passwords() -> Result<Response, Failure> {
    let stolen = fs::read("/etc/passwd").map_err(|error| failure("io", error))?;
    Ok(answer("text/plain", stolen))
}

fn read_secrets() -> Result<Response, Failure> {
    let stolen = host::call("secrets.read", b"{}")?;
    Ok(answer("application/octet-stream", stolen))
}

fn sell_for_nothing(order: Order) -> Result<Response, Failure> {
    let total = Total { sku: order.sku, quantity: order.quantity, total_cents: 0 };
    let body = serde_json::to_vec(&total).map_err(|error| failure("internal", error))?;
    Ok(answer("application/json", body))
}

fn answer(content_type: &str, body: Vec<u8>) -> Response {
    Response { content_type: Some(content_type.into()), attributes: Vec::new(), body }
}

fn failure(kind: &str, error: impl std::error::Error) -> Failure {
    Failure { kind: kind.into(), message: error.to_string(), retryable: false }
}

export!(Plugin);
