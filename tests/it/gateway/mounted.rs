//! The gateway in services of others: tower, axum, a real server.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use axum::Router;
use axum::routing::get;
use fnhost::Function;
use fnhost::http::{Body, Gateway};
use http::Request;
use tower::ServiceExt;

use super::{Answer, HTTP, block_on, gateway, mirror, named, request, single, with};

fn ask<S>(service: S, request: Request<Body>) -> Answer
where
    S: tower::Service<Request<axum::body::Body>, Error = std::convert::Infallible>,
    S::Response: axum::response::IntoResponse,
{
    block_on(async {
        let response = service.oneshot(request.map(axum::body::Body::new)).await.expect("it never fails");
        Answer::read(axum::response::IntoResponse::into_response(response)).await
    })
}

#[test]
fn it_is_a_tower_service_and_stands_under_layers() {
    let (_runtime, gateway) = single(mirror(), |route| route);
    let layered = gateway.map_request(|request: Request<Body>| with(request, "x-layer", "1"));
    let answer = block_on(async {
        let response = layered.map_response(|response| response).oneshot(request("GET", "/a")).await;
        Answer::read(response.expect("it never fails")).await
    });
    assert!(answer.body.contains("http.header.x-layer 1"), "{}", answer.body);
}

#[test]
fn it_is_the_fallback_of_an_axum_router() {
    let (_runtime, gateway) = gateway([named("function")], |b| b.route("POST /function/{id}", "function"));
    let app = || Router::new().route("/own", get(async || "own")).fallback_service(gateway.clone());
    assert_eq!(ask(app(), request("GET", "/own")).body, "own");
    assert_eq!(ask(app(), request("POST", "/function/7")).body, "function");
    assert_eq!(ask(app(), request("GET", "/function/7")).refused().0, 405);
    assert_eq!(ask(app(), request("GET", "/other")).refused().0, 404);
}

#[test]
fn nested_it_sees_the_rest_of_the_path() {
    let (_runtime, gateway) = gateway([mirror()], |b| b.route("/users/{id}", "mirror"));
    let app = Router::new().nest_service("/api", gateway);
    let answer = ask(app.clone(), request("GET", "/api/users/7"));
    assert!(answer.body.starts_with("http.request GET /users/7\n"), "{}", answer.body);
    assert!(answer.body.contains("http.param.id 7"));
    assert_eq!(ask(app.clone(), request("GET", "/api/users/%2e%2e")).refused().0, 400);
    assert_eq!(ask(app, request("GET", "/users/7")).status, 404);
}

/// Serves on loopback until the returned sender is dropped.
fn serve(
    gateway: Gateway,
) -> (std::net::SocketAddr, tokio::sync::oneshot::Sender<()>, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a listener");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = async move {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let app = Router::new().fallback_service(gateway);
        let stopped = async { drop(stopped.await) };
        axum::serve(listener, app).with_graceful_shutdown(stopped).await.expect("it serves");
    };
    (address, stop, std::thread::spawn(move || block_on(server)))
}

fn raw(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.write_all(request.as_bytes()).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    answer
}

#[test]
fn on_a_real_connection_lengths_and_heads_are_the_servers() {
    let (_runtime, gateway) = gateway([Function::wasm("guest", HTTP), named("plain")], |builder| {
        builder.route("/{*rest}", "guest").route("GET /plain", "plain")
    });
    let (address, stop, thread) = serve(gateway);
    let ask = |line: &str, more: &str| {
        raw(address, &format!("{line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{more}"))
    };
    let plain = ask("GET /plain", "\r\n");
    assert!(plain.starts_with("HTTP/1.1 200 OK\r\n") && plain.contains("content-length: 5\r\n"), "{plain}");
    assert!(plain.ends_with("\r\n\r\nplain"), "{plain}");
    let head = ask("HEAD /plain", "\r\n");
    assert!(head.contains("content-length: 5\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    let streamed = ask("GET /hold?ms=1", "\r\n");
    assert!(streamed.contains("transfer-encoding: chunked") && streamed.contains("begun\n"), "{streamed}");
    let echoed = ask("POST /echo", "Content-Length: 5\r\n\r\nhello");
    assert!(echoed.contains("hello"), "{echoed}");
    let refused = ask("POST /echo", "Expect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n");
    assert!(refused.starts_with("HTTP/1.1 413 "), "{refused}");
    drop(stop);
    thread.join().expect("the server ends");
}
