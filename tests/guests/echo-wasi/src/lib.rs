//! Echoes, and shows what of WASI the host lets through.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

wit_bindgen::generate!({ path: "../../../wit", world: "fnhost:function/function" });

use exports::fnhost::function::handler::{Event, Failure, Guest, Response};

struct EchoWasi;

impl Guest for EchoWasi {
    fn handle(event: Event) -> Result<Response, Failure> {
        let body = match event.type_.as_str() {
            "env" => environment()?,
            "print" => print(event.body),
            "time" => unix_milliseconds()?,
            "random" => wasip2::random::random::get_random_bytes(16),
            _ => event.body,
        };
        Ok(Response { content_type: event.data_content_type, attributes: Vec::new(), body })
    }
}

fn environment() -> Result<Vec<u8>, Failure> {
    let variables: BTreeMap<String, String> = std::env::vars().collect();
    serde_json::to_vec(&variables).map_err(failure)
}

fn print(body: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8_lossy(&body);
    println!("{text}");
    eprintln!("{text}");
    body
}

fn unix_milliseconds() -> Result<Vec<u8>, Failure> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(failure)?;
    Ok(since.as_millis().to_string().into_bytes())
}

fn failure(error: impl std::error::Error) -> Failure {
    Failure { kind: "guest".into(), message: error.to_string(), retryable: false }
}

export!(EchoWasi);
