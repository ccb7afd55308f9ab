//! A guest of wasi:http 0.2: the path says what it does, the query how much of it.

mod answer;
mod bodies;
mod fetch;
mod heads;
mod misbehave;
mod question;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use http_parts::HELLO;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

use answer::text;
use question::Question;

struct Http;

static SERVED: AtomicU64 = AtomicU64::new(0);

impl Guest for Http {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let served = SERVED.fetch_add(1, Ordering::Relaxed) + 1;
        if let Err(error) = route(&Question::new(request), served, out) {
            eprintln!("the answer ended early: {error}");
        }
    }
}

fn route(question: &Question, served: u64, out: ResponseOutparam) -> io::Result<()> {
    match question.query.path.as_str() {
        "/" | "/hello" => text(out, 200, HELLO),
        "/count" => text(out, 200, &served.to_string()),
        "/echo" => bodies::echo(question, out),
        "/splice" => bodies::splice(question, out),
        "/sink" => bodies::sink(question, out),
        "/source" => bodies::source(question, out),
        "/trailers" => bodies::trailers(question, out),
        "/length" => bodies::length(question, out),
        "/headers" => heads::headers(question, out),
        "/many-headers" => heads::many_headers(question, out),
        "/set" => heads::set(question, out),
        "/status" => heads::status(question, out),
        "/env" => heads::env(out),
        "/log" => heads::log(question, out),
        "/fetch" => fetch::one(question, out),
        "/fetch-many" => fetch::many(question, out),
        "/keep" => fetch::keep(question, out),
        "/slow" => misbehave::slow(question, out),
        "/hold" => misbehave::hold(question, out),
        "/after" => misbehave::after(question, out),
        "/early" => misbehave::early(out),
        "/forget" => misbehave::forget(out),
        "/memory" => misbehave::memory(question, out),
        "/fail" => misbehave::fail(question, out),
        "/trap-late" => misbehave::trap_late(out),
        "/never" => Ok(()),
        "/spin" => misbehave::spin(),
        "/trap" => core::arch::wasm32::unreachable(),
        "/panic" => panic!("guest panicked on purpose"),
        "/exit" => std::process::exit(i32::from(question.query.number("code") != 0)),
        other => text(out, 404, &format!("no such path: {other}\n")),
    }
}

wasip2::http::proxy::export!(Http);
