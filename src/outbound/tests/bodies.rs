//! Bodies: streamed both ways, held to what was declared, never cut off in silence.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::world::{Server, budget, get, reaching, read, read_head, text};
use crate::outbound::{Patience, Refusal};

/// A body of what is sent, with an unknown length.
struct Written(mpsc::UnboundedReceiver<Result<&'static str, io::Error>>);

impl Body for Written {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let data = |text: &'static str| Frame::data(Bytes::from_static(text.as_bytes()));
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(data)))
    }
}

fn written() -> (mpsc::UnboundedSender<Result<&'static str, io::Error>>, Written) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, Written(receiver))
}

async fn echo() -> Server {
    Server::http(|request| Response::new(String::from_utf8(request.body().to_vec()).unwrap())).await
}

#[tokio::test]
async fn a_body_of_unknown_length_is_sent_in_pieces() {
    let server = echo().await;
    let outbound = reaching(server.address, |_| {});
    let (pieces, body) = written();
    let request = Request::post(server.url("api.test")).body(body).unwrap();
    let write = async {
        for piece in ["one ", "two ", "three"] {
            pieces.send(Ok(piece)).unwrap();
            tokio::task::yield_now().await;
        }
        drop(pieces);
    };
    let budget = budget();
    let (answer, ()) = tokio::join!(outbound.send(request, Patience::default(), &budget), write);
    assert_eq!(read(answer.unwrap()).await.as_deref(), Ok("one two three"));
    assert_eq!(budget.spent().sent, 13);
}

#[tokio::test]
async fn a_body_is_as_long_as_declared() {
    let server = echo().await;
    let outbound = reaching(server.address, |_| {});
    for (sent, fits) in [(&["he", "llo"][..], true), (&["hell"], false), (&["hello!"], false), (&[], false)] {
        let (pieces, body) = written();
        sent.iter().for_each(|piece| pieces.send(Ok(*piece)).unwrap());
        drop(pieces);
        let request = Request::post(server.url("api.test")).header("content-length", "5").body(body).unwrap();
        match outbound.send(request, Patience::default(), &budget()).await {
            Ok(answer) => assert!(fits && read(answer).await.as_deref() == Ok("hello")),
            Err(refusal) => {
                assert!(!fits && matches!(refusal, Refusal::InvalidRequest { .. }), "{sent:?}: {refusal}");
            }
        }
    }
}

#[tokio::test]
async fn what_exceeds_the_declared_length_never_leaves() {
    let server = echo().await;
    let outbound = reaching(server.address, |_| {});
    for _ in 0..2 {
        let (pieces, body) = written();
        for piece in ["hello", "GET /evil HTTP/1.1\r\n\r\n"] {
            pieces.send(Ok(piece)).unwrap();
        }
        let request = Request::post(server.url("api.test")).header("content-length", "5").body(body).unwrap();
        let answer = outbound.send(request, Patience::default(), &budget()).await.unwrap();
        assert_eq!(read(answer).await.as_deref(), Ok("hello"));
    }
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn a_body_that_is_given_up_ends_the_request() {
    let server = echo().await;
    let outbound = reaching(server.address, |_| {});
    let (pieces, body) = written();
    pieces.send(Ok("half")).unwrap();
    pieces.send(Err(io::Error::other("the guest trapped"))).unwrap();
    let request = Request::post(server.url("api.test")).body(body).unwrap();
    let refusal = outbound.send(request, Patience::default(), &budget()).await.unwrap_err();
    assert!(refusal.to_string().contains("the guest trapped"), "{refusal}");
    assert_eq!(outbound.idle_connections(), 0);
}

#[tokio::test]
async fn a_guest_that_writes_slowly_is_not_the_servers_fault() {
    let server = echo().await;
    let outbound = reaching(server.address, |_| {});
    let (pieces, body) = written();
    let request = Request::post(server.url("api.test")).body(body).unwrap();
    let limit = Duration::from_millis(150);
    let write = async move {
        tokio::time::sleep(3 * limit).await;
        pieces.send(Ok("late")).unwrap();
    };
    let patience = Patience { first_byte: limit, ..Patience::default() };
    let budget = budget();
    let (answer, ()) = tokio::join!(outbound.send(request, patience, &budget), write);
    assert_eq!(read(answer.unwrap()).await.as_deref(), Ok("late"));
}

/// A server that answers before it reads the body, twice over one connection.
async fn early() -> Server {
    Server::start(|mut stream| async move {
        for _ in 0..2 {
            read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nearly").await.unwrap();
            let mut body = [0; 14];
            stream.read_exact(&mut body).await.unwrap();
            assert_eq!(&body, b"4\r\nlate\r\n0\r\n\r\n");
        }
    })
    .await
}

#[tokio::test]
async fn an_answer_may_be_over_before_the_request_is() {
    let server = early().await;
    let outbound = reaching(server.address, |_| {});
    for _ in 0..2 {
        let (pieces, body) = written();
        let request = Request::post(server.url("api.test")).body(body).unwrap();
        let answer = outbound.send(request, Patience::default(), &budget()).await.unwrap();
        assert_eq!(read(answer).await.as_deref(), Ok("early"));
        assert_eq!(outbound.idle_connections(), 0, "the request is not over");
        pieces.send(Ok("late")).unwrap();
        drop(pieces);
        while outbound.idle_connections() == 0 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn a_cut_answer_is_an_error() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\npart",
        "HTTP/1.1 200",
        "",
    ] {
        let server = Server::start(move |mut stream| async move {
            read_head(&mut stream).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        let outbound = reaching(server.address, |_| {});
        let refusal = text(&outbound, get(&server.url("api.test"))).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Closed { .. }), "{answer:?}: {refusal}");
    }
}

#[tokio::test]
async fn bad_chunks_are_an_error() {
    for chunks in ["x\r\n", "-1\r\na", "4 4\r\npart\r\n", "4\r\npartX", "ffffffffffffffffff\r\n"] {
        let answer = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}");
        let server = Server::raw(answer.leak()).await;
        let outbound = reaching(server.address, |_| {});
        let refusal = text(&outbound, get(&server.url("api.test"))).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Protocol { .. }), "{chunks:?}: {refusal}");
    }
}

#[tokio::test]
async fn trailers_come_through() {
    let server = Server::raw(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n",
    )
    .await;
    let outbound = reaching(server.address, |_| {});
    let answer = outbound.send(get(&server.url("api.test")), Patience::default(), &budget()).await.unwrap();
    let collected = answer.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["x-sum"], "7");
    assert_eq!((collected.to_bytes(), outbound.idle_connections()), (Bytes::from_static(b"ok"), 1));
}

#[tokio::test]
async fn many_megabytes_flow_both_ways_at_once() {
    const PIECES: usize = 64;
    static PIECE: [u8; 1 << 20] = [7; 1 << 20];
    let server = Server::start(|stream| async {
        let service = hyper::service::service_fn(|request: Request<hyper::body::Incoming>| {
            std::future::ready(Ok::<_, Infallible>(Response::new(request.into_body())))
        });
        let io = hyper_util::rt::TokioIo::new(stream);
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
    })
    .await;
    let outbound = reaching(server.address, |_| {});
    let pieces = (0..PIECES).map(|_| Ok::<_, Infallible>(Frame::data(Bytes::from_static(&PIECE))));
    let body = StreamBody::new(futures_util::stream::iter(pieces));
    let request = Request::post(server.url("api.test")).body(body).unwrap();
    let mut body = outbound.send(request, Patience::default(), &budget()).await.unwrap().into_body();
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        received += frame.unwrap().into_data().unwrap().len();
    }
    assert_eq!(received, PIECES << 20);
}
