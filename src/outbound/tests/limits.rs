//! Bounds: on heads, bodies and how many there are.

use std::pin::pin;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::io::AsyncWriteExt;

use super::world::{Server, budget, get, is_pending, reaching, read, read_head, send, text};
use crate::outbound::{Outbound, Part, Patience, Policy, Quota, Refusal};

/// A server that answers the beginning and then the rest again and again.
async fn endless(begin: &'static str, again: &'static str) -> Server {
    Server::start(move |mut stream| async move {
        read_head(&mut stream).await;
        let mut alive = stream.write_all(begin.as_bytes()).await.is_ok();
        while alive {
            alive = stream.write_all(again.as_bytes()).await.is_ok();
        }
    })
    .await
}

async fn refused(server: &Server, change: impl FnOnce(&mut Policy)) -> Refusal {
    let outbound = reaching(server.address, change);
    text(&outbound, get(&server.url("api.test"))).await.unwrap_err()
}

#[tokio::test]
async fn endless_headers_are_cut_off() {
    let expected = Refusal::TooLarge { part: Part::ResponseHead, limit: 64 << 10 };
    for again in [
        "x-more: x\r\n",
        "x",
        "x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
    ] {
        let server = endless("HTTP/1.1 200 OK\r\nx-first: ", again).await;
        assert_eq!(refused(&server, |_| {}).await, expected, "{again:?}");
    }
}

#[tokio::test]
async fn endless_interim_answers_are_cut_off() {
    let server = endless("", "HTTP/1.1 100 Continue\r\n\r\n").await;
    let refusal =
        refused(&server, |policy| policy.limits.patience.first_byte = Duration::from_millis(50)).await;
    assert!(matches!(refusal, Refusal::TimedOut { .. }), "{refusal}");
}

#[tokio::test]
async fn endless_bodies_are_cut_off() {
    let expected = Refusal::TooLarge { part: Part::ResponseBody, limit: 1000 };
    for (begin, again) in [
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "5\r\nhello\r\n"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", "hello"),
        ("HTTP/1.1 200 OK\r\n\r\n", "hello"),
    ] {
        let server = endless(begin, again).await;
        assert_eq!(refused(&server, |policy| policy.limits.max_response_bytes = 1000).await, expected);
    }
    let server =
        endless("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", "x-trailer: x\r\n").await;
    assert!(matches!(refused(&server, |_| {}).await, Refusal::Protocol { .. } | Refusal::Closed { .. }));
}

#[tokio::test]
async fn heads_are_as_large_as_the_limits_say() {
    let large = "x".repeat(9 << 10);
    for (limit, many, large) in [(true, 11, ""), (true, 1, large.as_str()), (false, 10, "")] {
        let headers: String = (0..many).map(|n| format!("x-{n}: {large}\r\n")).collect();
        let answer = format!("HTTP/1.1 204 No Content\r\n{headers}\r\n");
        let server = Server::raw(answer.leak()).await;
        let outbound = reaching(server.address, |policy| {
            policy.limits.max_headers = 10;
            policy.limits.max_response_head = 8 << 10;
        });
        let answered = text(&outbound, get(&server.url("api.test"))).await;
        let expected = Refusal::TooLarge { part: Part::ResponseHead, limit: 8 << 10 };
        assert_eq!(answered, if limit { Err(expected) } else { Ok(String::new()) });
    }
}

#[tokio::test]
async fn nothing_follows_a_failure_and_nothing_is_held() {
    let server = endless("HTTP/1.1 200 OK\r\n\r\n", "hello").await;
    let outbound = reaching(server.address, |policy| {
        policy.limits.max_response_bytes = 1000;
        policy.limits.max_at_once = 1;
    });
    let mut body = send(&outbound, get(&server.url("api.test"))).await.unwrap().into_body();
    while body.frame().await.unwrap().is_ok() {}
    assert!(body.frame().await.is_none() && body.is_end_stream());
    assert!(send(&outbound, get(&server.url("api.test"))).await.is_ok(), "its place is free");
}

#[tokio::test]
async fn the_answers_of_an_event_are_counted_together() {
    let server = Server::http(|_| Response::new("x".repeat(600))).await;
    let outbound = reaching(server.address, |policy| policy.limits.max_response_bytes = 1000);
    let budget = budget();
    let ask =
        async || read(outbound.send(get(&server.url("api.test")), Patience::default(), &budget).await?).await;
    assert!(ask().await.is_ok());
    let refusal = ask().await.unwrap_err();
    assert_eq!(refusal, Refusal::TooLarge { part: Part::ResponseBody, limit: 1000 });
    assert_eq!(budget.spent().refusals, [refusal]);
    assert!(text(&outbound, get(&server.url("api.test"))).await.is_ok(), "another event has its own budget");
}

#[tokio::test]
async fn what_an_event_sends_is_bounded() {
    let server = Server::http(|_| Response::new("ok".into())).await;
    let outbound = reaching(server.address, |policy| policy.limits.max_request_bytes = 1000);
    let post = |bytes| Request::post(server.url("api.test")).body("x".repeat(bytes)).unwrap();
    assert_eq!(text(&outbound, post(1000)).await.as_deref(), Ok("ok"));
    let expected = Refusal::TooLarge { part: Part::RequestBody, limit: 1000 };
    assert_eq!(send(&outbound, post(1001)).await.unwrap_err(), expected);
}

#[tokio::test]
async fn an_event_makes_so_many_requests() {
    let server = Server::http(|_| Response::new("ok".into())).await;
    let outbound = reaching(server.address, |policy| policy.limits.max_requests = 2);
    let budget = budget();
    let ask = async |url: &str| outbound.send(get(url), Patience::default(), &budget).await.map(drop);
    assert!(ask(&server.url("denied.test")).await.is_err());
    assert_eq!(ask(&server.url("api.test")).await, Ok(()));
    let refusal = ask(&server.url("api.test")).await.unwrap_err();
    assert_eq!(refusal, Refusal::TooMany { quota: Quota::PerEvent, limit: 2 });
    assert!(refusal.to_string().contains("raise `max_requests`"), "{refusal}");
}

#[tokio::test]
async fn too_many_at_once_wait_and_are_refused_in_time() {
    let server = Server::http(|_| Response::new("ok".into())).await;
    let outbound = reaching(server.address, |policy| policy.limits.max_at_once = 1);
    let url = server.url("api.test");
    let first = send(&outbound, get(&url)).await.unwrap();
    let short = Patience { connect: Duration::from_millis(20), ..Patience::default() };
    let refusal = outbound.send(get(&url), short, &budget()).await.unwrap_err();
    assert_eq!(refusal, Refusal::TooMany { quota: Quota::AtOnce, limit: 1 });

    let mut second = pin!(text(&outbound, get(&url)));
    assert!(is_pending(&mut second).await);
    assert_eq!(read(first).await.as_deref(), Ok("ok"));
    assert_eq!(second.await.as_deref(), Ok("ok"));
}

#[tokio::test]
async fn a_place_is_free_again_however_a_request_ends() {
    let server = Server::raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart").await;
    let outbound = reaching(server.address, |policy| policy.limits.max_at_once = 1);
    let url = server.url("api.test");
    drop(send(&outbound, get(&url)).await.unwrap());
    {
        let mut left = pin!(send(&outbound, get(&url)));
        assert!(is_pending(&mut left).await);
    }
    let short = Patience { between_bytes: Duration::from_millis(20), ..Patience::default() };
    let answer = outbound.send(get(&url), short, &budget()).await.unwrap();
    assert!(matches!(read(answer).await, Err(Refusal::TimedOut { .. })));
    assert!(send(&outbound, get(&url)).await.is_ok());
}

#[test]
fn limits_that_allow_nothing_are_refused() {
    let made = |change: fn(&mut Policy)| {
        let mut policy = Policy::default();
        change(&mut policy);
        Outbound::new(policy).map(drop).unwrap_err()
    };
    assert!(made(|policy| policy.limits.max_at_once = 0).contains("give 1 or more"));
    assert!(made(|policy| policy.limits.max_response_head = 100).contains("at least 8192"));
}
