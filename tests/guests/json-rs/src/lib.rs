//! Answers JSON with JSON: `{"name", "items": [{"price", "count"}]}` gives `{"greeting", "total", "served"}`.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

wit_bindgen::generate!({ path: "../../../wit", world: "fnhost:function/function" });

use exports::fnhost::function::handler::{Event, Failure, Guest, Response};

struct Json;

static SERVED: AtomicU64 = AtomicU64::new(0);

#[derive(Deserialize)]
struct Question {
    name: String,
    #[serde(default)]
    items: Vec<Item>,
    #[serde(default)]
    fail: bool,
}

#[derive(Deserialize)]
struct Item {
    price: f64,
    count: f64,
}

#[derive(Serialize)]
struct Answer {
    greeting: String,
    total: f64,
    served: u64,
}

impl Guest for Json {
    fn handle(event: Event) -> Result<Response, Failure> {
        let served = SERVED.fetch_add(1, Ordering::Relaxed) + 1;
        let question: Question = serde_json::from_slice(&event.body).map_err(bad_request)?;
        if question.fail {
            return Err(failure("teapot", "the event asked for a failure".into()));
        }
        let total = question.items.iter().fold(0.0, |sum, item| sum + item.price * item.count);
        let answer = Answer { greeting: format!("Hello, {}!", question.name), total, served };
        Ok(Response {
            content_type: Some("application/json".into()),
            attributes: Vec::new(),
            body: serde_json::to_vec(&answer).map_err(bad_request)?,
        })
    }
}

fn bad_request(error: serde_json::Error) -> Failure {
    failure("bad-request", error.to_string())
}

fn failure(kind: &str, message: String) -> Failure {
    Failure { kind: kind.into(), message, retryable: false }
}

export!(Json);
