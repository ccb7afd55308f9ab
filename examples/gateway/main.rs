//! A small shop: a page and the functions behind it on one origin, each request in a sandbox of its own.
//!
//!     cargo run --release --example gateway
//!     cargo run --release --example gateway -- --check
//!
//! | route | what answers |
//! |---|---|
//! | `GET /api/products?q=` | `search`, a WebAssembly component of the standard wasi:http |
//! | `POST /api/login` | `login`, a handler in Rust that gives out tokens |
//! | `POST /api/purchases` | `purchase`, a WebAssembly function; only with such a token |
//! | anything else below `/api` | 404 |
//! | everything else | the files in `page/`, or its `index.html` |
//!
//! The guests' sources are in `examples/guests`. What `--check` tries is in `check.rs`.

mod args;
mod check;
mod client;
mod login;
mod shop;

use std::io::Read as _;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fnhost::http::{Files, Gateway, Route};
use fnhost::{Context, Event, Function, Rate, Report, Response, Runtime};
use tokio::sync::oneshot;

use args::{Args, HELP, Until};
use login::Desk;
use shop::Shop;

type Problem = Box<dyn std::error::Error + Send + Sync>;

const SEARCH: &[u8] = include_bytes!("../guests/search.wasm");
const PURCHASE: &[u8] = include_bytes!("../guests/purchase.wasm");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/gateway/page");

fn main() -> Result<(), Problem> {
    let Some(args) = Args::parse(std::env::args().skip(1))? else {
        print!("{HELP}");
        return Ok(());
    };
    let runtime = Runtime::builder().observer(print_line).build()?;
    let desk = Desk::open()?;
    let gateway = runtime.block_on(open(&runtime, &desk))?;
    let listener = TcpListener::bind(("127.0.0.1", args.port))?;
    let address = listener.local_addr()?;
    println!("The shop is open at http://{address}");

    let (close, closed) = oneshot::channel();
    let closer = thread::spawn(move || {
        let ended = wait(args.until, address);
        // Whoever serves may be gone already, and then needs no sign.
        let _ = close.send(());
        ended
    });
    let until = async { drop(closed.await) };
    let served = runtime.block_on(gateway.serve(listener, until))?;
    runtime.block_on(runtime.shutdown(Duration::from_secs(5)));
    println!("The shop is closed; {} requests were cut off.", served.requests_cut);
    closer.join().expect("the thread does not panic")
}

/// Deploys the functions, and puts each behind its route.
async fn open(runtime: &Runtime, desk: &Desk) -> Result<Gateway, Problem> {
    let shop = Arc::new(Shop::open()?);
    let (shelf, till) = (Arc::clone(&shop), shop);
    let search = Function::wasm("search", SEARCH)
        .memory(16 << 20)
        .timeout(Duration::from_secs(1))
        .grant("shop.products", move |_, _| std::future::ready(shelf.products()));
    let purchase = Function::wasm("purchase", PURCHASE)
        .memory(16 << 20)
        .timeout(Duration::from_secs(1))
        .grant_json("shop.take", move |wish, _| std::future::ready(till.take(&wish)));
    let functions = [search, purchase, desk.function(), Function::native("no-such-api", no_such_api)];
    for function in functions {
        runtime.deploy(function).await?;
    }
    let gateway = Gateway::builder(runtime)
        .route("GET /api/products", "search")
        .route("POST /api/login", Route::to("login").max_body(1 << 10).rate(Rate::per_second(2).burst(10)))
        .route("POST /api/purchases", Route::to("purchase").max_body(4 << 10).authorizer(desk.authorizer()?))
        .route("/api/{*path}", "no-such-api")
        .route("GET /{*path}", Files::new(PAGE)?.fallback("index.html"))
        .build()?;
    Ok(gateway)
}

/// Answers what no other route below `/api` takes; without it the page would.
async fn no_such_api(_: Event, context: Context) -> Result<Response, fnhost::Failure> {
    let path = context.attribute("http.param.path").unwrap_or_default();
    let answer =
        serde_json::json!({ "error": "no-such-api", "message": format!("the shop has no /api/{path}") });
    Ok(Response::from_json(&answer)?.with_attribute("http.status", "404"))
}

/// Prints what a request cost. What is refused at the door runs no function, and nor do files: they have no report.
fn print_line(report: &Report) {
    let start = report.start.map(|start| start.to_string()).unwrap_or_default();
    println!(
        "  {:<12} {:<8} {:<7} in {:>6.1} us, ran {:>6.1} us, {:>5} KiB, team {}",
        report.function(),
        report.outcome.to_string(),
        start,
        report.setup.as_secs_f64() * 1e6,
        report.handler.as_secs_f64() * 1e6,
        report.peak_memory >> 10,
        report.tenant.as_deref().unwrap_or("-"),
    );
}

/// Returns when the shop has to close.
fn wait(until: Until, address: SocketAddr) -> Result<(), Problem> {
    match until {
        Until::Checked => return check::all(address),
        Until::Past(time) => thread::sleep(time),
        Until::EndOfInput => {
            println!("It closes at the end of the input (ctrl-d).");
            std::io::stdin().read_to_end(&mut Vec::new())?;
        }
    }
    Ok(())
}
