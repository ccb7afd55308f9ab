//! A price plug-in: ten pieces or more are ten percent off.
//!
//! The event `order.priced` carries `{"sku": "A-1", "quantity": 12}`. The plug-in asks the granted
//! host function `price.lookup` with `{"sku": "A-1"}`, which answers `{"unit_cents": 250}`, and
//! answers `{"sku": "A-1", "quantity": 12, "discount_percent": 10, "total_cents": 2700}`.

use serde::{Deserialize, Serialize};

wit_bindgen::generate!({ path: "../../../wit", world: "fnhost:function/function" });

use exports::fnhost::function::handler::{Event, Failure, Guest, Response};
use fnhost::function::host;

struct Plugin;

#[derive(Deserialize)]
struct Order {
    sku: String,
    quantity: u64,
}

#[derive(Serialize)]
struct Lookup<'a> {
    sku: &'a str,
}

#[derive(Deserialize)]
struct Price {
    unit_cents: u64,
}

#[derive(Serialize)]
struct Total {
    sku: String,
    quantity: u64,
    discount_percent: u64,
    total_cents: u64,
}

impl Guest for Plugin {
    fn handle(event: Event) -> Result<Response, Failure> {
        let order: Order = serde_json::from_slice(&event.body).map_err(bad_request)?;
        let price = look_up(&order.sku)?;
        let total = total(order, &price).ok_or_else(too_large)?;
        Ok(Response {
            content_type: Some("application/json".into()),
            attributes: Vec::new(),
            body: serde_json::to_vec(&total).map_err(bad_request)?,
        })
    }
}

fn look_up(sku: &str) -> Result<Price, Failure> {
    let question = serde_json::to_vec(&Lookup { sku }).map_err(bad_request)?;
    serde_json::from_slice(&host::call("price.lookup", &question)?).map_err(bad_request)
}

fn total(order: Order, price: &Price) -> Option<Total> {
    let discount_percent = if order.quantity >= 10 { 10 } else { 0 };
    let full = price.unit_cents.checked_mul(order.quantity)?;
    let total_cents = full.checked_mul(100 - discount_percent)? / 100;
    Some(Total { sku: order.sku, quantity: order.quantity, discount_percent, total_cents })
}

fn bad_request(error: serde_json::Error) -> Failure {
    failure("bad-request", error.to_string())
}

fn too_large() -> Failure {
    failure("too-large", "the total has too many digits".into())
}

fn failure(kind: &str, message: String) -> Failure {
    Failure { kind: kind.into(), message, retryable: false }
}

export!(Plugin);
