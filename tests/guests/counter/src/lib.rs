//! Counts its events from where init began, and reports what it knows of the invocation.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

wit_bindgen::generate!({ path: "../../../wit", world: "fnhost:function/function-with-init" });

use exports::fnhost::function::{handler, init};
use fnhost::function::context;
use handler::{Event, Failure, Response};

struct Counter;

static COUNT: AtomicU64 = AtomicU64::new(0);

impl init::Guest for Counter {
    fn init() -> Result<(), String> {
        if let Ok(why) = std::env::var("INIT_FAIL") {
            return Err(format!("init was told to fail: {why}"));
        }
        COUNT.store(100, Ordering::Relaxed);
        Ok(())
    }
}

impl handler::Guest for Counter {
    fn handle(event: Event) -> Result<Response, Failure> {
        Ok(match event.type_.as_str() {
            "context" => answer("application/json", facts().to_string()),
            _ => answer("text/plain", (COUNT.fetch_add(1, Ordering::Relaxed) + 1).to_string()),
        })
    }
}

fn facts() -> serde_json::Value {
    json!({
        "request-id": context::request_id(),
        "function-name": context::function_name(),
        "function-version": context::function_version(),
        "attempt": context::attempt(),
        "remaining-ms": context::remaining_ms(),
        "memory-limit": context::memory_limit(),
        "tenant": context::tenant(),
        "traceparent": context::traceparent(),
        "color": context::attribute("color"),
    })
}

fn answer(content_type: &str, body: String) -> Response {
    Response { content_type: Some(content_type.into()), attributes: Vec::new(), body: body.into_bytes() }
}

export!(Counter);
