//! Components that this project did not design: standard handlers of wasi:http.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use fnhost::{Bytes, Context, Contract, Error, Event, Function, Handler, HttpBody, Isolation, Runtime};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full};

use crate::kit::{
    Dice, MIB, REUSE, assert_quiet, deploy, host, kind, poll, refused, runtime, says, small, until,
};

const HTTP_RS: &[u8] = include_bytes!("../guests/http-rs.wasm");

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

const HTTP_RS_P3: &[u8] = include_bytes!("../guests/http-rs-p3.wasm");

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

fn crowded(max_in_flight: u32) -> Function {
    guest_p3().isolation(Isolation::Concurrent { max_in_flight, max_uses: 1_000_000 })
}

/// Asks for several paths at once.
fn all(runtime: &Runtime, handler: &Handler, paths: &[&str]) -> Vec<Result<String, Error>> {
    let one = async |path: &str| {
        let body = open(handler, request("GET", path, Empty::<Bytes>::new())).await?.into_body();
        Ok(String::from_utf8(body.collect().await?.to_bytes().to_vec()).unwrap())
    };
    runtime.block_on(futures_util::future::join_all(paths.iter().map(|path| one(path))))
}

#[test]
fn one_guest_serves_several_requests_at_once() {
    let (runtime, web) = host(crowded(8));
    let started = Instant::now();
    let answers = all(&runtime, &web, &["/slow?ms=300"; 8]);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert!(started.elapsed() < Duration::from_millis(1_500), "{:?}", started.elapsed());
    assert_eq!(get(&runtime, &web, "/peak").1, "8", "they overlap in one guest");
    assert_eq!(web.stats().unwrap().created, 1);
    until("the guest is idle", || web.stats().unwrap().idle == 1);
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn no_more_than_so_many_are_in_one_guest() {
    let (runtime, web) = host(crowded(3));
    let answers = all(&runtime, &web, &["/slow?ms=200"; 9]);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(web.stats().unwrap().created, 3);
    assert_eq!(get(&runtime, &web, "/peak").1, "3");
    until("the guests are idle", || web.stats().unwrap().idle == 3);
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn a_deadline_ends_its_own_request_and_the_guest_takes_no_more() {
    let (runtime, web) = host(crowded(8));
    let answers = runtime.block_on(async {
        let web = &web;
        let asked = |path: &'static str, context| async move {
            web.http(context, request("GET", path, Empty::<Bytes>::new())).await.map(drop)
        };
        let short = Context::new().with_timeout(Duration::from_millis(100));
        futures_util::future::join(asked("/slow?ms=400", Context::new()), asked("/slow?ms=9000", short)).await
    });
    assert!(answers.0.is_ok(), "{answers:?}");
    assert_eq!(kind(answers.1), "timed-out");
    assert_eq!(get(&runtime, &web, "/count").1, "1", "a guest with something unfinished serves nobody else");
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn a_trap_ends_all_that_are_in_the_guest_and_says_so() {
    let (runtime, web) = host(crowded(8));
    let mut answers = all(&runtime, &web, &["/slow?ms=9000", "/slow?ms=9000", "/trap"]);
    let errors: Vec<String> = answers.drain(..).map(|answer| answer.unwrap_err().to_string()).collect();
    assert!(errors.iter().all(|error| error.starts_with("trapped")), "{errors:?}");
    assert_eq!(get(&runtime, &web, "/count").1, "1");
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn who_spins_holds_up_his_own_guest_until_its_deadline() {
    let (runtime, web) = host(crowded(8).timeout(Duration::from_millis(300)));
    let other = deploy(&runtime, Function::wasm("other", HTTP_RS));
    let answers = all(&runtime, &web, &["/spin", "/hello"]);
    assert!(answers.iter().any(Result::is_err), "{answers:?}");
    assert_eq!(get(&runtime, &other, "/hello").0, 200);
    assert_eq!(get(&runtime, &web, "/hello").0, 200);
    assert_quiet(&runtime, &[&web, &other]);
}

#[test]
fn a_shared_guest_serves_one_tenant_at_a_time() {
    let (runtime, web) = host(crowded(8));
    let (a, b) = runtime.block_on(async {
        let asked = |tenant: &'static str| {
            let context = Context::new().with_tenant(tenant);
            async { web.http(context, request("GET", "/slow?ms=200", Empty::<Bytes>::new())).await.map(drop) }
        };
        futures_util::future::join(asked("a"), asked("b")).await
    });
    assert!(a.is_ok() && b.is_ok(), "{a:?} {b:?}");
    assert_eq!(web.stats().unwrap().created, 2);
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn requests_dropped_at_random_leave_nothing_behind() {
    let (runtime, web) = host(crowded(4).timeout(Duration::from_secs(2)));
    let mut dice = Dice::new(7);
    for _ in 0..300 {
        let mut asked = Box::pin(open(&web, request("GET", "/hold?ms=20", Empty::<Bytes>::new())));
        for _ in 0..dice.roll(4) {
            if poll(&mut asked).is_ready() {
                break;
            }
            std::thread::yield_now();
        }
    }
    until("guests that were given up end", || web.stats().unwrap().running == 0);
    assert_eq!(get(&runtime, &web, "/hello").0, 200);
    assert_quiet(&runtime, &[&web]);
}

#[test]
fn only_handlers_of_version_3_can_serve_several_at_once() {
    let runtime = runtime();
    let function =
        Function::wasm("web", HTTP_RS).isolation(Isolation::Concurrent { max_in_flight: 8, max_uses: 100 });
    says(&refused(&runtime, function), &["wasi:http/handler@0.3", "Isolation::Reuse"]);
    says(&refused(&runtime, crowded(0)), &["max_in_flight", "give at least 1"]);
}
