//! Deploys a handler, sends it events in fresh and in reused sandboxes, and prints the answers and what they cost.
//!
//!     cargo run --release --example hello
//!
//! The handler is `examples/guests/hello`: a component in Rust that greets, and counts the events it has seen.

use std::error::Error;
use std::time::Duration;

use fnhost::{Event, Function, Handler, Isolation, Runtime, Start};
use serde::{Deserialize, Serialize};

const HELLO: &[u8] = include_bytes!("guests/hello.wasm");

#[derive(Serialize)]
struct Visitor {
    name: &'static str,
}

#[derive(Deserialize)]
struct Answer {
    greeting: String,
    /// How many events this sandbox has seen.
    seen: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    // One runtime for the whole program. It needs no async runtime: `block_on` parks this thread.
    let runtime = Runtime::new()?;

    println!(
        "Each answer stands above the report of its event. There, Duration is the handler's time, Start says how"
    );
    println!("the sandbox came to be and how long that took, Queued is the wait before it.\n");

    println!("Fresh: a new sandbox for each event, which is the default.\n");
    deploy(&runtime, Function::wasm("hello", HELLO))?;
    let hello = runtime.handler("hello")?;
    for name in ["Ada", "Grace"] {
        let (seen, _) = greet(&hello, name)?;
        assert_eq!(seen, 1, "nothing survives an event");
    }

    println!("Reuse: one sandbox serves many events, and its state survives.\n");
    let reuse = Isolation::Reuse { max_uses: 1_000 };
    deploy(&runtime, Function::wasm("hello-again", HELLO).isolation(reuse))?;
    let again = runtime.handler("hello-again")?;
    for (name, expected) in [("Ada", 1), ("Grace", 2), ("Edsger", 3)] {
        let (seen, start) = greet(&again, name)?;
        assert_eq!(seen, expected, "the sandbox counts on");
        assert_eq!(start == Some(Start::Reused), expected > 1, "the first event had to make it");
    }

    // An event that the handler refuses is an error with a kind, not a crash.
    let error = hello.invoke_blocking(Event::bytes("visit", "no JSON")).expect_err("it wants JSON");
    println!("An event that makes no sense: {error}");

    let shutdown = runtime.block_on(runtime.shutdown(Duration::from_secs(1)));
    assert_eq!(shutdown.cancelled, 0, "nothing was left");
    Ok(())
}

/// Compiles the code and says what that took.
fn deploy(runtime: &Runtime, function: Function) -> Result<(), fnhost::Error> {
    let deployed = runtime.block_on(runtime.deploy(function))?;
    println!(
        "  {} version {}: contract {}, compiled in {:.0} ms",
        deployed.name(),
        deployed.version(),
        deployed.contract(),
        deployed.compile_time().as_secs_f64() * 1e3
    );
    Ok(())
}

/// Sends one event; prints the answer and its report.
fn greet(hello: &Handler, name: &'static str) -> Result<(u64, Option<Start>), fnhost::Error> {
    let response = hello.invoke_blocking(Event::json("visit", &Visitor { name })?)?;
    let answer: Answer = response.json()?;
    println!("  {} (event {} of this sandbox)", answer.greeting, answer.seen);
    println!("    {}\n", response.report());
    Ok((answer.seen, response.report().start))
}
