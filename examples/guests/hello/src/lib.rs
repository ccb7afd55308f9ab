//! Greets, and counts the events that this guest has seen.
//!
//! The body is `{"name": "Ada"}`; the answer is `{"greeting": "Hello, Ada!", "seen": 1}`. A fresh
//! guest has always seen one event; a guest that is used again says so.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

wit_bindgen::generate!({ path: "../../../wit", world: "fnhost:function/function" });

use exports::fnhost::function::handler::{Event, Failure, Guest, Response};

struct Hello;

static SEEN: AtomicU64 = AtomicU64::new(0);

#[derive(Deserialize)]
struct Visitor {
    name: String,
}

#[derive(Serialize)]
struct Answer {
    greeting: String,
    seen: u64,
}

impl Guest for Hello {
    fn handle(event: Event) -> Result<Response, Failure> {
        let seen = SEEN.fetch_add(1, Ordering::Relaxed) + 1;
        let visitor: Visitor = serde_json::from_slice(&event.body).map_err(bad_request)?;
        let answer = Answer { greeting: format!("Hello, {}!", visitor.name), seen };
        Ok(Response {
            content_type: Some("application/json".into()),
            attributes: Vec::new(),
            body: serde_json::to_vec(&answer).map_err(bad_request)?,
        })
    }
}

fn bad_request(error: serde_json::Error) -> Failure {
    Failure { kind: "bad-request".into(), message: error.to_string(), retryable: false }
}

export!(Hello);
