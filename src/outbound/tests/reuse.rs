//! Connections used again: when, by whom, and what happens when the server has closed one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use http::{Request, Response};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::world::{Server, get, reaching, read, read_head, send, text, until_closed};
use crate::block_on::block_on;
use crate::outbound::{Budget, Holdings, Patience, Refusal};

async fn hello() -> Server {
    Server::http(|_| Response::new("hello".into())).await
}

fn post(url: &str, body: &str) -> Request<String> {
    Request::post(url).body(body.into()).unwrap()
}

#[tokio::test]
async fn one_connection_serves_request_after_request() {
    let server = hello().await;
    let outbound = reaching(server.address, |_| {});
    for n in 0..20 {
        let body = if n % 2 == 0 { "" } else { "body" };
        assert_eq!(text(&outbound, post(&server.url("api.test"), body)).await.as_deref(), Ok("hello"));
    }
    assert_eq!((outbound.counters().opened, outbound.counters().reused), (1, 19));
    assert_eq!(server.accepted(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_does_so_when_server_and_client_run_on_different_threads() {
    let server = hello().await;
    let outbound = reaching(server.address, |_| {});
    for _ in 0..300 {
        assert_eq!(text(&outbound, get(&server.url("api.test"))).await.as_deref(), Ok("hello"));
    }
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn answers_without_a_body_give_the_connection_back_at_once() {
    let server = Server::http(|_| Response::builder().status(204).body(String::new()).unwrap()).await;
    let outbound = reaching(server.address, |_| {});
    for method in ["HEAD", "GET", "DELETE"] {
        let request = Request::builder().method(method).uri(server.url("api.test"));
        drop(send(&outbound, request.body(String::new()).unwrap()).await.unwrap());
    }
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn an_answer_left_unread_closes_its_connection() {
    let server = hello().await;
    let outbound = reaching(server.address, |_| {});
    drop(send(&outbound, get(&server.url("api.test"))).await.unwrap());
    assert_eq!(outbound.idle_connections(), 0);
    assert!(text(&outbound, get(&server.url("api.test"))).await.is_ok());
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn tenants_functions_and_origins_share_nothing() {
    let server = hello().await;
    let outbound = reaching(server.address, |policy| policy.rules.allow("http://127.0.0.1:*").unwrap());
    let ask = async |url: &str, tenant: Option<&str>| {
        let budget = Budget::new(
            Instant::now() + Duration::from_secs(60),
            tenant.map(Into::into),
            Holdings::default(),
        );
        let answer = outbound.send(get(url), Patience::default(), &budget).await.unwrap();
        assert_eq!(read(answer).await.as_deref(), Ok("hello"));
        server.accepted()
    };
    let (named, numbered) = (server.url("api.test"), server.url("127.1"));
    assert_eq!(ask(&named, None).await, 1);
    assert_eq!(ask(&named, Some("red")).await, 2);
    assert_eq!(ask(&named, Some("blue")).await, 3);
    assert_eq!(ask(&numbered, Some("blue")).await, 4);
    for tenant in [None, Some("red"), Some("blue")] {
        assert_eq!(ask(&named, tenant).await, 4);
    }
    let other = reaching(server.address, |_| {});
    assert!(text(&other, get(&named)).await.is_ok());
    assert_eq!(server.accepted(), 5);
}

#[tokio::test]
async fn only_so_many_are_kept() {
    let server = hello().await;
    let outbound = reaching(server.address, |policy| policy.limits.max_idle = 2);
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(send(&outbound, get(&server.url("api.test"))).await.unwrap());
    }
    for answer in answers {
        assert!(read(answer).await.is_ok());
    }
    assert_eq!((server.accepted(), outbound.idle_connections()), (4, 2));
}

/// A server that tells when each of its connections is closed.
async fn telling(answers: usize) -> (Server, mpsc::UnboundedReceiver<()>) {
    let (closed, is_closed) = mpsc::unbounded_channel();
    let server = Server::start(move |mut stream: TcpStream| {
        let closed = closed.clone();
        async move {
            for _ in 0..answers {
                read_head(&mut stream).await;
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            }
            until_closed(stream).await;
            closed.send(()).unwrap();
        }
    })
    .await;
    (server, is_closed)
}

#[tokio::test]
async fn idle_connections_are_closed_in_time_and_with_the_client() {
    let (server, mut is_closed) = telling(1).await;
    let outbound = reaching(server.address, |policy| policy.limits.idle_timeout = Duration::from_millis(20));
    assert!(text(&outbound, get(&server.url("api.test"))).await.is_ok());
    assert_eq!(outbound.idle_connections(), 1);
    is_closed.recv().await.unwrap();
    assert_eq!(outbound.idle_connections(), 0);

    let outbound = reaching(server.address, |_| {});
    assert!(text(&outbound, get(&server.url("api.test"))).await.is_ok());
    drop(outbound);
    is_closed.recv().await.unwrap();
}

/// A server that answers the first request of its first connection, and does something else with the second.
async fn fickle(reads_second: bool) -> Server {
    let connections = Arc::new(AtomicUsize::new(0));
    Server::start(move |mut stream: TcpStream| {
        let is_first = connections.fetch_add(1, SeqCst) == 0;
        async move {
            loop {
                read_head(&mut stream).await;
                if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.is_err() {
                    return;
                }
                if is_first {
                    break;
                }
            }
            if reads_second {
                read_head(&mut stream).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_not_used() {
    let server = fickle(false).await;
    let outbound = reaching(server.address, |_| {});
    let url = server.url("api.test");
    assert_eq!(text(&outbound, get(&url)).await.as_deref(), Ok("ok"));
    assert_eq!(text(&outbound, post(&url, "")).await.as_deref(), Ok("ok"));
    assert_eq!((server.accepted(), outbound.counters().reused), (2, 0));
}

#[tokio::test]
async fn a_safe_request_is_sent_again_when_a_kept_connection_ends() {
    let server = fickle(true).await;
    let outbound = reaching(server.address, |_| {});
    let url = server.url("api.test");
    assert_eq!(text(&outbound, get(&url)).await.as_deref(), Ok("ok"));
    assert_eq!(text(&outbound, get(&url)).await.as_deref(), Ok("ok"));
    assert_eq!((server.accepted(), outbound.counters().reused, outbound.counters().refused), (2, 0, 0));
}

#[tokio::test]
async fn a_request_that_may_change_something_is_never_sent_twice() {
    for (method, body) in [("POST", ""), ("POST", "body"), ("PUT", "body"), ("DELETE", ""), ("GET", "body")] {
        let server = fickle(true).await;
        let outbound = reaching(server.address, |_| {});
        let url = server.url("api.test");
        assert_eq!(text(&outbound, get(&url)).await.as_deref(), Ok("ok"));
        let request = Request::builder().method(method).uri(&url).body(body.to_owned()).unwrap();
        let refusal = text(&outbound, request).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Closed { .. }), "{method} {body:?}: {refusal}");
        assert_eq!(server.accepted(), 1);
    }
}

#[tokio::test]
async fn a_new_connection_that_ends_is_not_tried_again() {
    let server = Server::start(|mut stream| async move { drop(read_head(&mut stream).await) }).await;
    let outbound = reaching(server.address, |_| {});
    let refusal = text(&outbound, get(&server.url("api.test"))).await.unwrap_err();
    assert!(matches!(refusal, Refusal::Closed { .. }), "{refusal}");
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_never_given() {
    // The second answer waits in the connection before the second request is made.
    let server = Server::raw(
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison",
    )
    .await;
    let outbound = reaching(server.address, |_| {});
    let url = server.url("api.test");
    for _ in 0..2 {
        assert_eq!(text(&outbound, get(&url)).await.as_deref(), Ok("ok"));
    }
    assert_eq!(server.accepted(), 2);
}

#[test]
fn a_guest_is_polled_on_a_thread_of_its_own_inside_our_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || drop(runtime.block_on(stopped)));
    let (server, outbound) = {
        let _inside = handle.enter();
        let server = block_on(hello());
        let outbound = reaching(server.address, |_| {});
        for _ in 0..50 {
            assert_eq!(block_on(text(&outbound, get(&server.url("api.test")))).as_deref(), Ok("hello"));
        }
        (server, outbound)
    };
    let unread = {
        let _inside = handle.enter();
        block_on(send(&outbound, get(&server.url("api.test")))).unwrap()
    };
    // Outside of any runtime, as when a host drops an answer.
    drop(unread);
    assert_eq!(server.accepted(), 1);
    drop(outbound);
    stop.send(()).unwrap();
    thread.join().unwrap();
}
