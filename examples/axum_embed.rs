//! An axum service that was there before, and now has two functions as well.
//!
//!     cargo run --release --example axum_embed
//!     cargo run --release --example axum_embed -- --check
//!
//! The ten lines that were added stand between marks: a function in Rust, one in WebAssembly that the host need not
//! trust, and a route to each. The service keeps its own routes, state and server; what none of its routes takes goes to
//! the gateway.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use fnhost::http::Gateway;
use fnhost::{Context, Event, Failure, Function, Response, Runtime};
use tokio::net::TcpListener;

type Problem = Box<dyn std::error::Error + Send + Sync>;

/// What the service has always done.
async fn visits(State(count): State<Arc<AtomicU64>>) -> String {
    format!("visit {}\n", count.fetch_add(1, Relaxed) + 1)
}

// --- added ---
async fn who(_: Event, context: Context) -> Result<Response, Failure> {
    let name = context.attribute("http.param.name").unwrap_or("nobody");
    Ok(Response::from_text(format!("you are {name}\n")))
}
// --- to here ---

#[tokio::main]
async fn main() -> Result<(), Problem> {
    let service = Router::new().route("/visits", get(visits)).with_state(Arc::default());

    // --- added ---
    let runtime = Runtime::new()?;
    runtime.deploy(Function::wasm("greet", include_bytes!("guests/hello.wasm"))).await?;
    runtime.deploy(Function::native("who", who)).await?;
    let gateway = Gateway::builder(&runtime).route("POST /greet", "greet").route("GET /who/{name}", "who");
    let service = service.fallback_service(gateway.build()?);
    // --- to here ---

    let is_check = std::env::args().any(|word| word == "--check");
    let listener = TcpListener::bind(if is_check { "127.0.0.1:0" } else { "127.0.0.1:8080" }).await?;
    let address = listener.local_addr()?;
    println!("Listening on http://{address}: GET /visits, POST /greet, GET /who/NAME");
    let serving = axum::serve(listener, service).into_future();
    match is_check {
        false => Ok(serving.await?),
        true => tokio::select! {
            ended = serving => Ok(ended?),
            checked = tokio::task::spawn_blocking(move || check(address)) => checked?,
        },
    }
}

/// Asks the service for what it has and what it has not.
fn check(service: SocketAddr) -> Result<(), Problem> {
    let tries = [
        ("GET /visits", "", "200", "visit 1"),
        ("POST /greet", r#"{"name": "Ada"}"#, "200", "Hello, Ada!"),
        ("GET /who/ada%20l", "", "200", "you are ada l"),
        ("GET /visits", "", "200", "visit 2"),
        ("POST /greet", "no JSON", "502", "failed"),
        ("GET /greet", "", "405", "method-not-allowed"),
        ("GET /elsewhere", "", "404", "no-route"),
    ];
    for (request, body, status, wanted) in tries {
        let answer = ask(service, request, body)?;
        println!("{request} -> {}", answer.lines().last().unwrap_or_default());
        let is_right = answer.split(' ').nth(1) == Some(status) && answer.contains(wanted);
        is_right.then_some(()).ok_or_else(|| format!("{request}: not {status} {wanted:?}: {answer}"))?;
    }
    Ok(())
}

/// Sends one request in HTTP/1.0, where the end of the connection is the end of the answer.
fn ask(service: SocketAddr, request: &str, body: &str) -> Result<String, Problem> {
    let mut socket = TcpStream::connect(service)?;
    let length = body.len();
    write!(socket, "{request} HTTP/1.0\r\nhost: {service}\r\ncontent-length: {length}\r\n\r\n{body}")?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    Ok(answer)
}
