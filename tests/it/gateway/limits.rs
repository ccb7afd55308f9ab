//! Bodies, time-outs, concurrency and rates of a route.

use std::task::Poll;
use std::time::Duration;

use fnhost::http::{Body, CloudEvents, Denied, Identity, Route};
use fnhost::{Bytes, Function, Rate};
use futures_util::{StreamExt, stream};
use http_body::{Body as _, Frame};
use http_body_util::StreamBody;

use super::{Answer, HTTP, answering, block_on, gateway, get, mirror, post, request, send, single, with};
use crate::kit::{self, Latch};

type Chunk = Result<Frame<Bytes>, std::io::Error>;

fn chunks(chunks: impl IntoIterator<Item = &'static str>) -> Body {
    let chunks: Vec<Chunk> = chunks.into_iter().map(|chunk| Ok(Frame::data(chunk.into()))).collect();
    Body::new(StreamBody::new(stream::iter(chunks)))
}

/// A body that must not be read.
fn untouched() -> Body {
    Body::new(StreamBody::new(stream::poll_fn(|_| -> Poll<Option<Chunk>> { panic!("it was read") })))
}

fn never() -> Body {
    Body::new(StreamBody::new(stream::pending::<Chunk>()))
}

#[test]
fn a_body_that_is_announced_too_large_is_refused_unread() {
    let (_runtime, gateway) = single(mirror(), |route| route.max_body(10));
    let announced = with(request("POST", "/"), "content-length", "11").map(|_| untouched());
    let answer = send(&gateway, announced);
    assert_eq!(answer.refused(), (413, "payload-too-large".into()));
    assert!(answer.body.contains("limit of 10 bytes"), "{}", answer.body);
    assert_eq!(send(&gateway, post("/", "0123456789a")).refused().0, 413);
    assert!(send(&gateway, post("/", "0123456789")).body.ends_with("\n0123456789"));
}

#[test]
fn a_body_that_grows_too_large_is_refused_while_it_comes() {
    for function in [mirror(), Function::wasm("guest", HTTP)] {
        let (_runtime, gateway) = single(function, |route| route.max_body(10));
        let sent = |body| send(&gateway, request("POST", "/sink").map(|_| body));
        assert_eq!(sent(chunks(["01234", "56789"])).status, 200);
        let refused = sent(chunks(["01234", "56789", "a"]));
        assert_eq!(refused.refused(), (413, "payload-too-large".into()), "{}", refused.body);
    }
}

#[test]
fn no_more_is_kept_of_all_bodies_than_the_gateway_may_keep() {
    let latch = Latch::new();
    let functions = [kit::native_holding("held", &latch), mirror(), Function::wasm("guest", HTTP)];
    let (_runtime, gateway) = gateway(functions, |builder| {
        let events = Route::to("mirror").cloud_events(CloudEvents::new());
        let builder = builder.route("/held", "held").route("/mirror", "mirror").route("/events", events);
        builder.route("/sink", "guest").max_buffered(10)
    });
    let mut held = Box::pin(gateway.answer(post("/held", "0123456")));
    assert!(kit::poll(&mut held).is_pending());
    assert_eq!(latch.came(), 1, "the function has the body, which is still kept");
    let event = || with(with(post("/events", "1234"), "ce-id", "1"), "ce-specversion", "1.0");
    let event = || with(with(event(), "ce-type", "a"), "ce-source", "/a");
    for request in [post("/mirror", "1234"), event()] {
        let refused = send(&gateway, request);
        assert_eq!(refused.refused(), (503, "throttled".into()));
        assert_eq!(refused.header("retry-after"), Some("1"));
    }
    assert!(send(&gateway, post("/mirror", "123")).body.ends_with("\n123"), "there is as much left");
    assert_eq!(send(&gateway, post("/sink", "a body that is streamed")).status, 200, "it is not kept");
    assert_eq!(get(&gateway, "/mirror").status, 200);
    drop(held);
    assert!(send(&gateway, post("/mirror", "0123456789")).body.ends_with("0123456789"));
    assert_eq!(send(&gateway, event()).status, 200);
}

#[test]
fn what_has_come_of_a_body_is_given_back_when_its_client_goes_away() {
    let (_runtime, gateway) = gateway([mirror()], |b| b.route("/", "mirror").max_buffered(10));
    let part = stream::iter([Ok(Frame::data(Bytes::from("01234567")))]);
    let body = Body::new(StreamBody::new(part.chain(stream::pending::<Chunk>())));
    let mut slow = Box::pin(gateway.answer(request("POST", "/").map(|_| body)));
    assert!(kit::poll(&mut slow).is_pending());
    assert_eq!(send(&gateway, post("/", "012")).refused().0, 503);
    drop(slow);
    assert_eq!(send(&gateway, post("/", "0123456789")).status, 200);
}

#[test]
fn a_body_that_breaks_off_is_the_clients_fault() {
    let (_runtime, gateway) = single(mirror(), |route| route);
    let broken: [Chunk; 2] = [Ok(Frame::data("a".into())), Err(std::io::Error::other("gone"))];
    let body = Body::new(StreamBody::new(stream::iter(broken)));
    assert_eq!(send(&gateway, request("POST", "/").map(|_| body)).refused(), (400, "invalid-body".into()));
}

#[test]
fn past_the_time_out_it_is_told_who_was_slow() {
    let latch = Latch::new();
    let route = |route: Route| route.timeout(Duration::from_millis(30));
    let (runtime, gateway) = single(kit::native_holding("slow", &latch), route);
    assert_eq!(get(&gateway, "/").refused(), (504, "timed-out".into()));
    let slow_client = request("POST", "/").map(|_| never());
    assert_eq!(send(&gateway, slow_client).refused(), (408, "timed-out".into()));
    kit::assert_quiet(&runtime, &[&runtime.handler("slow").unwrap()]);
}

#[test]
fn the_time_out_covers_the_authorizer() {
    struct Never;
    impl fnhost::http::Authorizer for Never {
        fn authorize<'a>(&'a self, _: &'a http::request::Parts) -> fnhost::http::Verdict<'a> {
            Box::pin(std::future::pending())
        }
    }
    let (_runtime, gateway) =
        single(mirror(), |route| route.authorizer(Never).timeout(Duration::from_millis(20)));
    assert_eq!(get(&gateway, "/").refused().0, 504);
}

#[test]
fn after_the_head_the_body_may_take_longer_than_the_time_out() {
    let function = Function::wasm("guest", HTTP).timeout(Duration::from_secs(10));
    let (_runtime, gateway) = single(function, |route| route.timeout(Duration::from_millis(500)));
    assert_eq!(get(&gateway, "/slow?ms=5000").refused(), (504, "timed-out".into()));
    assert_eq!(get(&gateway, "/hold?ms=700").body, "begun\nreleased\n");
}

#[test]
fn a_full_route_refuses_at_once_until_a_body_has_ended() {
    let (_runtime, gateway) = single(answering("a", &[]), |route| route.concurrency(2));
    block_on(async {
        let first = gateway.answer(request("GET", "/")).await;
        let second = gateway.answer(request("GET", "/")).await;
        let third = Answer::read(gateway.answer(request("GET", "/")).await).await;
        assert_eq!(third.refused(), (503, "route-full".into()));
        assert_eq!(third.header("retry-after"), Some("1"));
        assert!(third.body.contains("2 requests are being served"), "{}", third.body);
        assert!(!first.body().is_end_stream());
        drop(first);
        assert_eq!(Answer::read(second).await.status, 200);
        for _ in 0..3 {
            assert_eq!(Answer::read(gateway.answer(request("GET", "/")).await).await.status, 200);
        }
    });
}

#[test]
fn a_request_that_is_dropped_leaves_its_route_and_its_function() {
    let latch = Latch::new();
    let (runtime, gateway) = single(kit::native_holding("held", &latch), |route| route.concurrency(1));
    let mut held = Box::pin(gateway.answer(request("GET", "/")));
    assert!(kit::poll(&mut held).is_pending());
    assert_eq!(latch.came(), 1);
    assert_eq!(get(&gateway, "/").refused().0, 503);
    drop(held);
    kit::assert_quiet(&runtime, &[&runtime.handler("held").unwrap()]);
    latch.open();
    assert_eq!(get(&gateway, "/").status, 200);
}

#[test]
fn past_the_rate_it_is_429_and_what_is_denied_does_not_count() {
    let team = |parts: &http::request::Parts| match parts.headers.get("x-team") {
        Some(_) => Ok(Identity::new()),
        None => Err(Denied::forbidden("no team")),
    };
    let (_runtime, gateway) =
        single(mirror(), |route| route.rate(Rate::per_minute(1).burst(2)).authorizer(team));
    let ask = |team: bool| {
        let request = request("GET", "/");
        send(&gateway, if team { with(request, "x-team", "blue") } else { request })
    };
    (0..5).for_each(|_| assert_eq!(ask(false).refused().0, 403));
    (0..2).for_each(|_| assert_eq!(ask(true).status, 200));
    let refused = ask(true);
    assert_eq!(refused.refused(), (429, "rate-exceeded".into()));
    let after: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((50..=60).contains(&after), "{after}");
}

#[test]
fn a_full_queue_of_the_function_is_503_with_retry_after() {
    let latch = Latch::new();
    let function = kit::native_holding("held", &latch).concurrency(1).queue(0);
    let (_runtime, gateway) = single(function, |route| route);
    let mut held = Box::pin(gateway.answer(request("GET", "/")));
    assert!(kit::poll(&mut held).is_pending());
    let refused = get(&gateway, "/");
    assert_eq!(refused.refused(), (503, "throttled".into()));
    assert_eq!(refused.header("retry-after"), Some("1"));
}
