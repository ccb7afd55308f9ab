//! Components that this project did not design: standard handlers of wasi:http.

mod crowds;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use fnhost::{Bytes, Context, Contract, Error, Event, Function, Handler, HttpBody, Runtime};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full, StreamBody};

use crate::kit::{MIB, REUSE, assert_quiet, deploy, host, in_child, kind, runtime, until};

const HTTP_RS: &[u8] = include_bytes!("../../guests/http-rs.wasm");

fn guest() -> Function {
    Function::wasm("web", HTTP_RS).timeout(Duration::from_secs(20))
}

fn request<B>(method: &str, path: &str, body: B) -> http::Request<B> {
    http::Request::builder().method(method).uri(path).header("host", "shop.example").body(body).unwrap()
}

async fn open<B>(handler: &Handler, request: http::Request<B>) -> Result<http::Response<HttpBody>, Error>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    handler.http(Context::new(), request).await
}

/// Asks and reads the whole answer.
async fn ask<B>(handler: &Handler, request: http::Request<B>) -> (http::response::Parts, Result<Bytes, Error>)
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (parts, body) = open(handler, request).await.expect("an answer").into_parts();
    (parts, body.collect().await.map(|collected| collected.to_bytes()))
}

fn get(runtime: &Runtime, handler: &Handler, path: &str) -> (u16, String) {
    let (parts, body) = runtime.block_on(ask(handler, request("GET", path, Empty::new())));
    (parts.status.as_u16(), String::from_utf8(body.expect("a whole body").to_vec()).unwrap())
}

/// How a request ends that must fail: before the head of its answer, or after it.
fn fails(runtime: &Runtime, handler: &Handler, path: &str) -> &'static str {
    let asked = request("GET", path, Empty::<Bytes>::new());
    let ended = runtime.block_on(async { open(handler, asked).await?.into_body().collect().await });
    kind(ended)
}

/// A body of so many chunks, which notes how many were asked for.
struct Chunks {
    left: u64,
    chunk: Bytes,
    given: Arc<AtomicU64>,
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        self.given.fetch_add(self.chunk.len() as u64, SeqCst);
        Poll::Ready(Some(Ok(Frame::data(self.chunk.clone()))))
    }
}

fn chunks(count: u64) -> (Chunks, Arc<AtomicU64>) {
    let given = Arc::new(AtomicU64::new(0));
    (Chunks { left: count, chunk: vec![7; 64 << 10].into(), given: Arc::clone(&given) }, given)
}

#[test]
fn a_standard_component_is_found_out_and_answers() {
    let runtime = runtime();
    let deployed = runtime.block_on(runtime.deploy(guest())).unwrap();
    assert_eq!(deployed.contract(), Contract::Http);
    let web = runtime.handler("web").unwrap();
    assert_eq!(get(&runtime, &web, "/hello"), (200, "Hello, world!\n".into()));
    assert_eq!(get(&runtime, &web, "/status?code=418").0, 418);
    assert_eq!(get(&runtime, &web, "/nowhere").0, 404);
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn the_guest_sees_the_request_as_it_came() {
    let (runtime, web) = host(guest());
    let asked = http::Request::post("/headers?a=b%20c")
        .header("host", "shop.example:8080")
        .header("x-one", "1")
        .header("connection", "close")
        .body(Empty::<Bytes>::new());
    let (_, body) = runtime.block_on(ask(&web, asked.unwrap()));
    let seen = String::from_utf8(body.unwrap().to_vec()).unwrap().to_lowercase();
    for part in ["post", "/headers?a=b%20c", "shop.example:8080", "x-one: 1"] {
        assert!(seen.contains(part), "{part}: {seen}");
    }
    assert!(!seen.contains("connection"), "{seen}");
}

#[test]
fn a_fresh_sandbox_serves_each_request_unless_reuse_is_chosen() {
    let runtime = runtime();
    let fresh = deploy(&runtime, guest());
    let reused = deploy(&runtime, Function::wasm("reused", HTTP_RS).isolation(REUSE));
    for served in 1..=3 {
        assert_eq!(get(&runtime, &fresh, "/count").1, "1");
        assert_eq!(get(&runtime, &reused, "/count").1, served.to_string());
    }
    assert_quiet(&runtime, &[&fresh, &reused]);
}

#[test]
fn bodies_pass_through_in_chunks_and_whole() {
    let (runtime, web) = host(guest().max_event(64 * MIB).max_response(64 * MIB));
    let body: Bytes = (0..3_000_000u32).map(|at| (at % 251) as u8).collect::<Vec<_>>().into();
    for path in ["/echo", "/splice"] {
        let asked = request("POST", path, Full::new(body.clone()));
        let (parts, echoed) = runtime.block_on(ask(&web, asked));
        assert_eq!(parts.status, 200);
        assert!(echoed.unwrap() == body, "{path}");
    }
    let (_, pattern) = runtime.block_on(ask(&web, request("GET", "/source?bytes=1000000", Empty::new())));
    let pattern = pattern.unwrap();
    assert!(
        pattern.len() == 1_000_000 && pattern.iter().enumerate().all(|(at, byte)| *byte == (at % 251) as u8)
    );
    let (sent, given) = chunks(100);
    let (_, counted) = runtime.block_on(ask(&web, request("POST", "/sink", sent)));
    let counted = String::from_utf8(counted.unwrap().to_vec()).unwrap();
    assert!(counted.starts_with(&format!("{} ", given.load(SeqCst))), "{counted}");
}

#[test]
fn who_reads_slowly_holds_the_guest_back_and_the_client_with_it() {
    let (runtime, web) = host(guest().max_event(1 << 40).max_response(1 << 40));
    let (sent, given) = chunks(u64::MAX);
    runtime.block_on(async {
        let mut body = open(&web, request("POST", "/echo", sent)).await.unwrap().into_body();
        let mut read = 0;
        while read < 10 * MIB {
            read += body.frame().await.unwrap().unwrap().into_data().unwrap().len() as u64;
        }
        let ahead = given.load(SeqCst) - read;
        assert!(ahead < 2 * MIB, "{ahead} bytes were taken that nobody has read");
    });
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn dropping_the_answer_frees_the_guest_at_once() {
    let (runtime, web) = host(guest());
    for path in ["/hold?ms=10000", "/source?bytes=1000000000"] {
        let answer = runtime.block_on(open(&web, request("GET", path, Empty::<Bytes>::new()))).unwrap();
        assert_eq!(web.stats().unwrap().running, 1, "{path}");
        drop(answer);
        assert_quiet(&runtime, &[&web]);
    }
}

#[test]
fn the_deadline_holds_until_the_last_byte() {
    let (runtime, web) = host(guest().timeout(Duration::from_millis(200)));
    for path in ["/slow?ms=5000", "/spin"] {
        let started = Instant::now();
        let ended = runtime.block_on(open(&web, request("GET", path, Empty::<Bytes>::new())));
        assert_eq!(kind(ended), "timed-out", "{path}");
        assert!(started.elapsed() < Duration::from_secs(2), "{path}: {:?}", started.elapsed());
    }
    let (parts, body) = runtime.block_on(ask(&web, request("GET", "/hold?ms=5000", Empty::new())));
    assert_eq!((parts.status.as_u16(), kind(body)), (200, "timed-out"));
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn nobody_who_reads_is_needed_for_the_deadline() {
    let (runtime, web) = host(guest().timeout(Duration::from_millis(100)));
    let answer =
        runtime.block_on(open(&web, request("GET", "/hold?ms=9000", Empty::<Bytes>::new()))).unwrap();
    until("the guest is taken out", || web.stats().unwrap().running == 0);
    drop(answer);
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn what_goes_wrong_is_an_error_before_the_head_and_ends_the_body_after_it() {
    let (runtime, web) = host(guest());
    for (path, expected) in [
        ("/trap", "trapped"),
        ("/panic", "trapped"),
        ("/never", "invalid-answer"),
        ("/exit?code=1", "exited"),
    ] {
        let ended = runtime.block_on(open(&web, request("GET", path, Empty::<Bytes>::new())));
        assert_eq!(kind(ended), expected, "{path}");
    }
    let ended = runtime.block_on(open(&web, request("GET", "/fail", Empty::<Bytes>::new())));
    assert_eq!(kind(ended), "failed");
    assert_eq!(fails(&runtime, &web, "/trap-late"), "trapped");
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn a_body_that_is_not_finished_or_not_as_long_as_declared_is_no_answer() {
    let (runtime, web) = host(guest());
    for path in ["/length?declared=100&bytes=10", "/length?declared=10&bytes=100", "/forget"] {
        assert_eq!(fails(&runtime, &web, path), "invalid-answer", "{path}");
    }
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn sizes_have_limits_both_ways() {
    let (runtime, web) = host(guest().max_event(1 << 20).max_response(1 << 20));
    let large: Bytes = vec![0; 2 << 20].into();
    let ended = runtime.block_on(open(&web, request("POST", "/sink", Full::new(large))));
    assert_eq!(kind(ended), "payload-too-large");
    let (sent, given) = chunks(1_000);
    let ended = runtime.block_on(open(&web, request("POST", "/sink", sent)));
    assert_eq!(kind(ended), "payload-too-large");
    assert!(given.load(SeqCst) < 2 << 20, "it read on for {} bytes", given.load(SeqCst));
    let (_, body) = runtime.block_on(ask(&web, request("GET", "/source?bytes=2000000", Empty::new())));
    assert_eq!(kind(body), "payload-too-large");
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn why_a_body_broke_off_is_told_without_what_the_host_is_made_of() {
    let name = "wasi_http::why_a_body_broke_off_is_told_without_what_the_host_is_made_of";
    let said = in_child(name, "-c 0 && export RUST_BACKTRACE=1", || {
        let (runtime, web) = host(guest());
        let frames = [Ok(Frame::data(Bytes::from("abc"))), Err("the line is cut")];
        let sent = StreamBody::new(futures_util::stream::iter(frames));
        let (_, told) = runtime.block_on(ask(&web, request("POST", "/sink", sent)));
        String::from_utf8(told.unwrap().to_vec()).unwrap().replace('\n', "|")
    });
    let Some(said) = said else { return };
    assert!(said.starts_with("the body ended after 3 bytes: "), "{said}");
    assert!(!["fnhost", "wasmtime", "0: "].iter().any(|inside| said.contains(inside)), "{said}");
}

#[test]
fn a_guest_may_answer_early_and_work_on_afterwards() {
    let (runtime, web) = host(guest());
    let (sent, _) = chunks(10);
    let (parts, body) = runtime.block_on(ask(&web, request("POST", "/early", sent)));
    assert_eq!(parts.status, 200, "{body:?}");
    assert_eq!(get(&runtime, &web, "/after?ms=200").0, 200);
    until("the guest that works on ends", || web.stats().unwrap().running == 0);
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn trailers_pass() {
    let (runtime, web) = host(guest());
    let body = Full::new(Bytes::from_static(b"12345"));
    let collected = runtime.block_on(async {
        open(&web, request("POST", "/trailers", body)).await.unwrap().into_body().collect().await.unwrap()
    });
    assert_eq!(collected.trailers().unwrap()["x-bytes"], "5");
}

#[test]
fn an_event_is_a_cloudevent_to_such_a_guest_and_its_answer_a_response() {
    let (runtime, web) = host(guest());
    let response = web.invoke_blocking(Event::bytes("order.placed", "tea")).unwrap();
    assert_eq!(
        (response.text().unwrap(), response.attribute("http.status")),
        ("Hello, world!\n", Some("200"))
    );
    assert_eq!(response.content_type(), Some("text/plain; charset=utf-8"));
    assert_eq!((response.report().bytes_in, response.report().bytes_out), (3, 14));
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn a_guest_that_answers_with_an_error_code_may_serve_again() {
    let (runtime, web) = host(guest().isolation(REUSE));
    assert_eq!(get(&runtime, &web, "/count").1, "1");
    assert_eq!(fails(&runtime, &web, "/fail"), "failed");
    assert_eq!(get(&runtime, &web, "/count").1, "3");
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn the_answer_to_head_may_tell_of_a_body_that_does_not_come() {
    let (runtime, web) = host(guest());
    let asked = request("HEAD", "/length?declared=5&bytes=0", Empty::<Bytes>::new());
    let (parts, body) = runtime.block_on(ask(&web, asked));
    assert_eq!((parts.status.as_u16(), body.unwrap().len()), (200, 0));
    assert_eq!(parts.headers["content-length"], "5");
}

const HTTP_RS_P3: &[u8] = include_bytes!("../../guests/http-rs-p3.wasm");

fn guest_p3() -> Function {
    Function::wasm("web3", HTTP_RS_P3).timeout(Duration::from_secs(20))
}

#[test]
fn a_handler_of_version_3_answers_in_a_fresh_sandbox_or_a_reused_one() {
    let runtime = runtime();
    let fresh = deploy(&runtime, guest_p3());
    let reused = deploy(&runtime, Function::wasm("reused", HTTP_RS_P3).isolation(REUSE));
    assert_eq!(get(&runtime, &fresh, "/hello"), (200, "Hello, world!\n".into()));
    for served in 1..=3 {
        assert_eq!(get(&runtime, &fresh, "/count").1, "1");
        assert_eq!(get(&runtime, &reused, "/count").1, served.to_string());
    }
    assert_quiet(&runtime, &[&fresh, &reused]);
}

#[test]
fn a_handler_of_version_3_streams_both_ways() {
    let (runtime, web) = host(guest_p3().max_event(64 * MIB).max_response(64 * MIB));
    let body: Bytes = (0..3_000_000u32).map(|at| (at % 251) as u8).collect::<Vec<_>>().into();
    let (parts, echoed) = runtime.block_on(ask(&web, request("POST", "/echo", Full::new(body.clone()))));
    assert_eq!(parts.status, 200);
    assert!(echoed.unwrap() == body);
    let (_, pattern) = runtime.block_on(ask(&web, request("GET", "/source?bytes=1000000", Empty::new())));
    assert_eq!(pattern.unwrap().len(), 1_000_000);
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn a_handler_of_version_3_has_its_deadline_and_its_errors() {
    let (runtime, web) = host(guest_p3().timeout(Duration::from_millis(200)));
    for (path, expected) in [
        ("/slow?ms=5000", "timed-out"),
        ("/spin", "timed-out"),
        ("/never", "timed-out"),
        ("/trap", "trapped"),
    ] {
        let started = Instant::now();
        let ended = runtime.block_on(open(&web, request("GET", path, Empty::<Bytes>::new())));
        assert_eq!(kind(ended), expected, "{path}");
        assert!(started.elapsed() < Duration::from_secs(2), "{path}: {:?}", started.elapsed());
    }
    assert_quiet(&runtime, &[&web]);
}
