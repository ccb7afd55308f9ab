//! Slow servers: each time-out, and the event's deadline in front of them.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use super::world::{Book, Server, budget, get, policy, reaching, read, read_head, until_closed};
use crate::outbound::{BoxFuture, Budget, Holdings, Outbound, Patience, Policy, Refusal, Resolve, Step};

const SHORT: Duration = Duration::from_millis(100);

/// Asks with one short time, and answers what took too long.
async fn timed_out(outbound: &Outbound, url: &str, patience: Patience) -> Step {
    let asked = async { read(outbound.send(get(url), patience, &budget()).await?).await };
    match asked.await {
        Err(Refusal::TimedOut { step, limit }) => {
            assert_eq!(limit, SHORT);
            step
        }
        other => panic!("{other:?}"),
    }
}

/// Asks with the default times, but a short deadline, and answers what took too long.
async fn cut_off(outbound: &Outbound, url: &str) -> Step {
    let budget = Budget::new(Instant::now() + SHORT, None, Holdings::default());
    let asked = async { read(outbound.send(get(url), Patience::default(), &budget).await?).await };
    match asked.await {
        Err(Refusal::Deadline { step }) => step,
        other => panic!("{other:?}"),
    }
}

fn connect() -> Patience {
    Patience { connect: SHORT, ..Patience::default() }
}

async fn silent() -> Server {
    Server::start(|stream| async { drop(until_closed(stream).await) }).await
}

#[tokio::test]
async fn a_resolver_that_never_answers() {
    #[derive(Debug)]
    struct Never;
    impl Resolve for Never {
        fn resolve(&self, _: Arc<str>, _: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>> {
            Box::pin(std::future::pending())
        }
    }
    let mut policy = Policy { resolver: Some(Arc::new(Never)), ..Policy::default() };
    policy.rules.allow("http://api.test").unwrap();
    let outbound = Outbound::new(policy).unwrap();
    assert_eq!(timed_out(&outbound, "http://api.test/", connect()).await, Step::Resolve);
    assert_eq!(cut_off(&outbound, "http://api.test/").await, Step::Resolve);
}

/// An address that takes no more connections, for as long as the other value lives.
async fn full() -> (SocketAddr, impl Sized) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut streams = Vec::new();
    while let Ok(stream) = tokio::time::timeout(SHORT, TcpStream::connect(address)).await {
        streams.push(stream.unwrap());
    }
    (address, (listener, streams))
}

#[tokio::test]
async fn a_server_that_takes_no_connection() {
    let (address, _held) = full().await;
    let outbound = reaching(address, |_| {});
    let url = format!("http://api.test:{}/", address.port());
    assert_eq!(timed_out(&outbound, &url, connect()).await, Step::Connect);
    assert_eq!(cut_off(&outbound, &url).await, Step::Connect);
}

#[tokio::test]
async fn an_address_that_hangs_leaves_time_for_the_next() {
    let (address, _held) = full().await;
    let server = Server::http(|_| Response::new("hello".into())).await;
    let book = Arc::new(Book::default()).write("api.test", &[&[address, server.address]]);
    let outbound = Outbound::new(policy(&book, &["http://api.test:*"])).unwrap();
    let patience = Patience { connect: Duration::from_millis(400), ..Patience::default() };
    let answer = outbound.send(get(&server.url("api.test")), patience, &budget()).await.unwrap();
    assert_eq!(read(answer).await.as_deref(), Ok("hello"));
}

#[tokio::test]
async fn a_server_that_never_agrees_on_tls() {
    let server = silent().await;
    let outbound = reaching(server.address, |_| {});
    let url = server.url("api.test").replace("http:", "https:");
    assert_eq!(timed_out(&outbound, &url, connect()).await, Step::Handshake);
    assert_eq!(cut_off(&outbound, &url).await, Step::Handshake);
}

#[tokio::test]
async fn a_server_that_never_answers() {
    let server = silent().await;
    let outbound = reaching(server.address, |_| {});
    let patience = Patience { first_byte: SHORT, ..Patience::default() };
    assert_eq!(timed_out(&outbound, &server.url("api.test"), patience).await, Step::FirstByte);
    assert_eq!(cut_off(&outbound, &server.url("api.test")).await, Step::FirstByte);
}

#[tokio::test]
async fn a_server_that_never_ends_its_head() {
    let server = Server::raw("HTTP/1.1 200 OK\r\nx-first: 1\r\n").await;
    let outbound = reaching(server.address, |_| {});
    let patience = Patience { first_byte: SHORT, ..Patience::default() };
    assert_eq!(timed_out(&outbound, &server.url("api.test"), patience).await, Step::FirstByte);
}

#[tokio::test]
async fn a_server_that_takes_no_body() {
    const SIZE: usize = 32 << 20;
    let (given_up, has_given_up) = tokio::sync::watch::channel(false);
    let (received, mut has_received) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::start(move |stream| {
        let (mut has_given_up, received) = (has_given_up.clone(), received.clone());
        async move {
            has_given_up.wait_for(|given_up| *given_up).await.unwrap();
            received.send(until_closed(stream).await.len()).unwrap();
        }
    })
    .await;
    let outbound = reaching(server.address, |_| {});
    let patience = Patience { first_byte: SHORT, ..Patience::default() };
    let request = Request::post(server.url("api.test")).body("x".repeat(SIZE)).unwrap();
    let refusal = outbound.send(request, patience, &budget()).await.unwrap_err();
    assert!(matches!(refusal, Refusal::TimedOut { step: Step::FirstByte, .. }), "{refusal}");
    given_up.send(true).unwrap();
    assert!(has_received.recv().await.unwrap() < SIZE, "what is given up is sent no further");
}

#[tokio::test]
async fn a_guest_that_never_ends_its_body_is_cut_off_by_the_deadline() {
    let server = silent().await;
    let outbound = reaching(server.address, |_| {});
    let body = StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>());
    let request = Request::post(server.url("api.test")).body(body).unwrap();
    let budget = Budget::new(Instant::now() + 2 * SHORT, None, Holdings::default());
    let patience = Patience { first_byte: SHORT, ..Patience::default() };
    let refusal = outbound.send(request, patience, &budget).await.unwrap_err();
    assert_eq!(refusal, Refusal::Deadline { step: Step::FirstByte });
}

#[tokio::test]
async fn a_server_that_is_slow_but_goes_on() {
    const PIECES: u32 = 4;
    let server = Server::start(|mut stream| async move {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        for _ in 0..PIECES {
            tokio::time::sleep(SHORT).await;
            stream.write_all(b"x").await.unwrap();
        }
    })
    .await;
    let outbound = reaching(server.address, |_| {});
    let patience = Patience { between_bytes: 3 * SHORT, ..Patience::default() };
    let answer = outbound.send(get(&server.url("api.test")), patience, &budget()).await.unwrap();
    assert_eq!(read(answer).await.as_deref(), Ok("xxxx"));
}

#[tokio::test]
async fn a_server_that_stops_in_the_middle() {
    for begin in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
    ] {
        let server = Server::raw(begin).await;
        let outbound = reaching(server.address, |_| {});
        let patience = Patience { between_bytes: SHORT, ..Patience::default() };
        assert_eq!(timed_out(&outbound, &server.url("api.test"), patience).await, Step::BetweenBytes);
        assert_eq!(cut_off(&outbound, &server.url("api.test")).await, Step::BetweenBytes);
        assert_eq!(outbound.idle_connections(), 0);
    }
}

#[tokio::test]
async fn a_guest_may_wait_less_than_the_limit_but_not_more() {
    let server = silent().await;
    let outbound = reaching(server.address, |policy| policy.limits.patience.first_byte = SHORT);
    let hour = Duration::from_secs(3600);
    let patience = Patience { connect: hour, first_byte: hour, between_bytes: hour };
    assert_eq!(timed_out(&outbound, &server.url("api.test"), patience).await, Step::FirstByte);
}

#[tokio::test]
async fn giving_up_closes_the_connection() {
    let (closed, mut is_closed) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::start(move |mut stream: TcpStream| {
        let closed = closed.clone();
        async move {
            read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart").await.unwrap();
            until_closed(stream).await;
            closed.send(()).unwrap();
        }
    })
    .await;
    let outbound = reaching(server.address, |_| {});
    let answer = outbound.send(get(&server.url("api.test")), Patience::default(), &budget()).await.unwrap();
    drop(answer);
    is_closed.recv().await.unwrap();
    assert_eq!(outbound.idle_connections(), 0);
}
