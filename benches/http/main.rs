//! HTTP: requests to a component in a new sandbox each, beside a bare route of axum and the same component under the
//! bare engine.
//!
//! `cargo bench --bench http` compares them in one process, taking turns. With `-- serve <who> <port>` one of them is
//! served until the process is stopped, for a load generator such as `wrk -t2 -c64`.

mod floor;

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;

use fnhost::{Bytes, Context, Function, Handler, Runtime};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;

const HELLO: &[u8] = include_bytes!("../../tests/guests/http-hello.wasm");

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["serve", who, port] => {
            let listener =
                TcpListener::bind(("127.0.0.1", port.parse().expect("a port"))).expect("a free port");
            serve(who, &listener);
        }
        _ => println!("usage: serve <axum|fnhost> <port>"),
    }
}

fn serve(who: &str, listener: &TcpListener) {
    match who {
        "axum" => floor::run(listener, || {
            let router = axum::Router::new().route("/", axum::routing::get(async || "Hello, world!\n"));
            hyper_util::service::TowerToHyperService::new(router)
        }),
        "fnhost" => {
            let handler = deploy();
            floor::run(listener, move || {
                let handler = Arc::new(handler.clone());
                service_fn(move |request: http::Request<Incoming>| {
                    let handler = Arc::clone(&handler);
                    async move {
                        Ok::<_, Infallible>(match handler.http(Context::new(), request).await {
                            Ok(answer) => answer.map(http_body_util::Either::Left),
                            Err(error) => {
                                let body =
                                    http_body_util::Either::Right(Full::<Bytes>::from(error.to_string()));
                                http::Response::builder().status(500).body(body).expect("a status")
                            }
                        })
                    }
                })
            });
        }
        other => panic!("{other} is not known"),
    }
}

fn deploy() -> Handler {
    let runtime = Box::leak(Box::new(Runtime::new().expect("a runtime")));
    runtime.block_on(runtime.deploy(Function::wasm("hello", HELLO).concurrency(1_000))).expect("deployed");
    runtime.handler("hello").expect("deployed just now")
}
