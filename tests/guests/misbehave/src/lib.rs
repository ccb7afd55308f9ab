//! Does whatever a host must survive; the event's type says what, its body how much.

mod exhaust;
mod outside;

use std::sync::{Mutex, PoisonError};

wit_bindgen::generate!({
    path: ["../../../wit", "wit/logging.wit", "wit/world.wit"],
    world: "fnhost-test:misbehave/misbehave",
    generate_all,
});

use exports::fnhost::function::handler::{Event, Failure, Guest, Response};

struct Misbehave;

static SECRET: Mutex<Vec<u8>> = Mutex::new(Vec::new());

type Answer = Result<Vec<u8>, Failure>;

impl Guest for Misbehave {
    fn handle(event: Event) -> Result<Response, Failure> {
        let attributes = match event.type_.as_str() {
            "attributes" => exhaust::attributes(number(&event.body)?),
            _ => Vec::new(),
        };
        Ok(Response { content_type: None, attributes, body: answer(&event)? })
    }
}

fn answer(event: &Event) -> Answer {
    let body = event.body.as_slice();
    match event.type_.as_str() {
        "ok" | "attributes" => Ok(b"ok".to_vec()),
        "spin" => exhaust::spin(),
        "sleep" => exhaust::sleep(number(body)?),
        "grow" => exhaust::grow(number(body)?),
        "flood" => exhaust::flood(number(body)?),
        "recurse" => exhaust::recurse_without_end(),
        "huge" => exhaust::huge(number(body)?),
        "random" => Ok(wasip2::random::random::get_random_bytes(64 << 20)),
        "trap" => core::arch::wasm32::unreachable(),
        "panic" => panic!("guest panicked on purpose"),
        "exit" => std::process::exit(number(body)? as i32),
        "fail" => Err(Failure { kind: "teapot".into(), message: text(body)?, retryable: true }),
        "call" => outside::call(event),
        "call-loop" => outside::call_loop(event),
        "file" => outside::read_file(&text(body)?),
        "write-file" => outside::write_file(event),
        "connect" => outside::connect(&text(body)?),
        "log" => outside::log(&text(body)?),
        "write" => Ok(write_secret(body)),
        "read" => Ok(SECRET.lock().unwrap_or_else(PoisonError::into_inner).clone()),
        other => Err(bad_request(format!("no such misbehaviour: {other}"))),
    }
}

fn write_secret(body: &[u8]) -> Vec<u8> {
    let secret = if body.is_empty() { b"secret" } else { body };
    *SECRET.lock().unwrap_or_else(PoisonError::into_inner) = secret.to_vec();
    b"written".to_vec()
}

fn number(body: &[u8]) -> Result<u64, Failure> {
    text(body)?.trim().parse().map_err(|error| bad_request(format!("the body is no number: {error}")))
}

fn text(body: &[u8]) -> Result<String, Failure> {
    String::from_utf8(body.to_vec()).map_err(|error| bad_request(error.to_string()))
}

fn bad_request(message: String) -> Failure {
    Failure { kind: "bad-request".into(), message, retryable: false }
}

export!(Misbehave);
