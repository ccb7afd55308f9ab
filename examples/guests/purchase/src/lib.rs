//! Sells something of the shop: `{"sku": "lamp", "quantity": 1}` gives an order, or the reason why there is none.
//!
//! Who buys it does not read from the request: the gateway's authorizer has put it into the context. What is on the
//! shelf only the host knows, which granted `shop.take`.

use serde::{Deserialize, Serialize};

wit_bindgen::generate!({ path: "../../../wit", world: "fnhost:function/function" });

use exports::fnhost::function::handler::{Event, Failure, Guest, Response};
use fnhost::function::{context, host};

/// The most of one product in one order.
const MOST: u64 = 5;

struct Purchase;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    sku: String,
    quantity: u64,
}

/// What the host says about what it took from the shelf.
#[derive(Deserialize)]
struct Taken {
    order: u64,
    name: String,
    cents: u64,
    left: u64,
}

#[derive(Serialize)]
struct Order {
    order: u64,
    buyer: String,
    team: Option<String>,
    sku: String,
    name: String,
    quantity: u64,
    total_cents: u64,
    /// How many are left on the shelf.
    left: u64,
}

/// What the shop answers when it cannot do what was asked, as the gateway does.
#[derive(Serialize)]
struct Refused<'a> {
    error: &'a str,
    message: &'a str,
}

impl Guest for Purchase {
    fn handle(event: Event) -> Result<Response, Failure> {
        let buyer = context::attribute("auth.sub").ok_or_else(|| broken("nobody says who buys"))?;
        match read(&event.body) {
            Ok(wish) => sell(buyer, wish),
            Err(message) => refuse(422, "invalid-order", &message),
        }
    }
}

fn read(body: &[u8]) -> Result<Wish, String> {
    let wish: Wish = serde_json::from_slice(body)
        .map_err(|error| format!("send {{\"sku\": \"...\", \"quantity\": 1}} as JSON: {error}"))?;
    if !(1..=MOST).contains(&wish.quantity) {
        return Err(format!("the quantity is {}; order 1 to {MOST} at a time", wish.quantity));
    }
    Ok(wish)
}

fn sell(buyer: String, wish: Wish) -> Result<Response, Failure> {
    let request = serde_json::to_vec(&wish).map_err(|error| broken(&error.to_string()))?;
    let taken = match host::call("shop.take", &request) {
        Ok(taken) => taken,
        Err(failure) if failure.kind == "sold-out" => return refuse(409, "sold-out", &failure.message),
        Err(failure) if failure.kind == "unknown-sku" => {
            return refuse(422, "unknown-sku", &failure.message);
        }
        // Anything else is between the shop and its host: the client gets 502.
        Err(failure) => return Err(broken(&failure.message)),
    };
    let taken: Taken = serde_json::from_slice(&taken).map_err(|error| broken(&error.to_string()))?;
    let order = Order {
        order: taken.order,
        buyer,
        team: context::tenant(),
        sku: wish.sku,
        name: taken.name,
        quantity: wish.quantity,
        total_cents: taken.cents * wish.quantity,
        left: taken.left,
    };
    answer(201, &order)
}

fn refuse(status: u16, error: &str, message: &str) -> Result<Response, Failure> {
    answer(status, &Refused { error, message })
}

fn answer(status: u16, value: &impl Serialize) -> Result<Response, Failure> {
    Ok(Response {
        content_type: Some("application/json".into()),
        attributes: vec![("http.status".into(), status.to_string())],
        body: serde_json::to_vec(value).map_err(|error| broken(&error.to_string()))?,
    })
}

fn broken(message: &str) -> Failure {
    Failure { kind: "broken".into(), message: message.into(), retryable: false }
}

export!(Purchase);
