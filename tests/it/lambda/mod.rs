//! The Invoke API: what is asked of it in this process, and what clients of AWS see of it.

mod clients;

use std::time::{Duration, SystemTime};

use fnhost::http::Body;
use fnhost::http::lambda::{LambdaService, service};
use fnhost::testing::ManualClock;
use fnhost::{Broker, Bytes, Context, Event, Failure, Function, Response, Runtime};
use http_body_util::{BodyExt, Full};
use tower_service::Service;

use crate::kit::{COMMAND, Latch, assert_quiet, deploy, native_holding, poll, runtime, says, small, until};

/// Requests for one function.
struct Caller {
    runtime: Runtime,
    service: LambdaService,
}

impl Caller {
    fn new(runtime: &Runtime) -> Self {
        Self::of(runtime, service(runtime))
    }

    fn of(runtime: &Runtime, service: LambdaService) -> Self {
        Self { runtime: runtime.clone(), service }
    }

    fn send(&self, request: http::Request<Full<Bytes>>) -> http::Response<Body> {
        let Ok(response) = self.runtime.block_on(self.service.clone().call(request));
        response
    }

    fn status(&self, request: http::Request<Full<Bytes>>) -> u16 {
        self.send(request).status().as_u16()
    }
}

fn post(path: &str, headers: &[(&str, &str)]) -> http::Request<Full<Bytes>> {
    let mut request = http::Request::post(path).header("host", "localhost:9001");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::from("{}")).unwrap()
}

fn invoke(name: &str, headers: &[(&str, &str)]) -> http::Request<Full<Bytes>> {
    post(&format!("/2015-03-31/functions/{name}/invocations"), headers)
}

fn event(name: &str) -> http::Request<Full<Bytes>> {
    invoke(name, &[("x-amz-invocation-type", "Event")])
}

#[test]
fn pages_and_foreign_hosts_are_refused_and_told_why() {
    let runtime = runtime();
    let latch = Latch::new();
    latch.open();
    deploy(&runtime, native_holding("f", &latch));
    let (alone, trusted) = (Caller::new(&runtime), Caller::of(&runtime, service(&runtime).trusted_network()));
    assert_eq!(alone.status(invoke("f", &[])), 200);
    let response = alone.send(invoke("f", &[("origin", "http://evil.example")]));
    assert_eq!(
        (response.status(), &response.headers()["x-amzn-errortype"]),
        (403.try_into().unwrap(), &"AccessDeniedException".parse().unwrap())
    );
    assert_eq!(trusted.status(invoke("f", &[("origin", "http://evil.example")])), 403);
    assert_eq!(alone.status(invoke("f", &[("host", "evil.example")])), 403);
    assert_eq!(trusted.status(invoke("f", &[("host", "functions.internal")])), 200);
    assert_eq!(latch.came(), 2, "who was refused reached nothing");
}

#[test]
fn it_is_served_on_loopback_only_unless_the_network_is_trusted() {
    let runtime = runtime();
    let serve = |lambda: LambdaService| {
        let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
        runtime.block_on(lambda.serve(listener, std::future::ready(())))
    };
    says(&serve(service(&runtime)).unwrap_err(), &["no signature", "0.0.0.0", "trusted_network"]);
    assert!(serve(service(&runtime).trusted_network()).is_ok());
}

#[test]
fn what_is_no_operation_is_said_so() {
    let runtime = runtime();
    let caller = Caller::new(&runtime);
    assert_eq!(caller.status(post("/", &[])), 404);
    let mut get = invoke("f", &[]);
    *get.method_mut() = http::Method::GET;
    let response = caller.send(get);
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()["allow"], "POST");
    assert!(response.headers().contains_key("x-amzn-requestid"));
}

#[test]
fn an_event_is_refused_when_the_broker_is_full() {
    let runtime = small().broker(Broker::memory().max_events(2)).build().unwrap();
    let latch = Latch::new();
    let handler = deploy(&runtime, native_holding("f", &latch));
    let caller = Caller::new(&runtime);
    assert_eq!([0, 1].map(|_| caller.status(event("f"))), [202, 202]);
    let response = caller.send(event("f"));
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (429, &"1".parse().unwrap())
    );
    assert_eq!(response.headers()["x-amzn-errortype"], "TooManyRequestsException");
    let body = runtime.block_on(response.into_body().collect()).unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["Reason"], "ConcurrentInvocationLimitExceeded");
    latch.open();
    until("one has ended", || caller.status(event("f")) == 202);
    until("all have ended", || handler.stats().unwrap().running == 0);
}

#[test]
fn an_event_that_failed_is_tried_again_under_the_id_of_its_request() {
    let clock = ManualClock::at(SystemTime::now());
    let runtime = small().clock(&clock).build().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let fail_once = move |event: Event, context: Context| {
        let seen = (context.request_id().to_string(), event.id().to_string(), context.attempt());
        tell.send(seen).unwrap();
        async move {
            match context.attempt() {
                1 => Err(Failure::new("busy", "later").with_retryable(true)),
                _ => Ok(Response::new()),
            }
        }
    };
    deploy(&runtime, Function::native("f", fail_once));
    let response = Caller::new(&runtime).send(event("f"));
    assert_eq!(response.status(), 202);
    let id = response.headers()["x-amzn-requestid"].to_str().unwrap().to_string();
    assert_eq!(told.recv().unwrap(), (id.clone(), id.clone(), 1));
    let mut again = None;
    until("it is tried again", || {
        clock.advance(Duration::from_secs(1));
        again = told.try_recv().ok();
        again.is_some()
    });
    assert_eq!(again, Some((id.clone(), id, 2)));
}

#[test]
fn an_event_goes_on_when_the_service_is_gone_and_is_cut_off_with_the_runtime() {
    let runtime = runtime();
    let latch = Latch::new();
    deploy(&runtime, native_holding("f", &latch));
    {
        let caller = Caller::new(&runtime);
        assert_eq!(caller.status(event("f")), 202);
    }
    until("it has begun", || latch.came() == 1);
    assert_eq!(runtime.block_on(runtime.shutdown(Duration::from_millis(1))).cancelled, 1);
}

#[test]
fn an_event_that_is_under_way_may_end_within_the_grace_of_a_shutdown() {
    let runtime = runtime();
    let latch = Latch::new();
    deploy(&runtime, native_holding("f", &latch));
    let caller = Caller::new(&runtime);
    assert_eq!(caller.status(event("f")), 202);
    until("it has begun", || latch.came() == 1);
    let mut shutdown = Box::pin(runtime.shutdown(Duration::from_secs(60)));
    assert!(poll(&mut shutdown).is_pending());
    latch.open();
    assert_eq!(runtime.block_on(shutdown).cancelled, 0);
    let response = caller.send(event("f"));
    assert_eq!(response.headers()["x-amzn-errortype"], "ServiceException", "it was there");
}

#[test]
fn a_native_handler_has_timers_when_nobody_waits() {
    let runtime = runtime();
    let latch = Latch::new();
    let done = latch.clone();
    let handle = move |_: Event, _: Context| {
        let done = done.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            done.pass(Response::new()).await
        }
    };
    deploy(&runtime, Function::native("f", handle));
    assert_eq!(Caller::new(&runtime).status(event("f")), 202);
    until("it has slept", || latch.came() == 1);
    latch.open();
}

#[test]
fn a_client_that_goes_away_cancels_what_it_waits_for() {
    let runtime = runtime();
    let latch = Latch::new();
    let handler = deploy(&runtime, native_holding("f", &latch));
    let mut waiting = service(&runtime).call(invoke("f", &[]));
    assert!(poll(&mut Box::pin(&mut waiting)).is_pending());
    assert_eq!(handler.stats().unwrap().running, 1);
    drop(waiting);
    assert_eq!(handler.stats().unwrap().running, 0);
}

#[test]
fn dropping_a_streamed_answer_frees_its_guest() {
    let runtime = runtime();
    let endless = Function::wasm("f", COMMAND).args(["stream", "1000000"]).max_response(u64::MAX);
    let handler = deploy(&runtime, endless);
    let caller = Caller::new(&runtime);
    let response = caller.send(post("/2021-11-15/functions/f/response-streaming-invocations", &[]));
    assert_eq!(response.headers()["content-type"], "application/vnd.amazon.eventstream");
    let mut body = response.into_body();
    let frame = runtime.block_on(body.frame()).unwrap().unwrap().into_data().unwrap();
    assert!(frame.windows(12).any(|part| part == b"PayloadChunk"));
    assert_eq!(handler.stats().unwrap().running, 1);
    drop(body);
    assert_quiet(&runtime, &[&handler]);
}

#[test]
fn payloads_have_the_limits_that_were_set() {
    let runtime = runtime();
    deploy(
        &runtime,
        Function::native("f", async |event: Event, _: Context| {
            Ok(Response::from_bytes([&event.body()[..], b" and more"].concat()))
        }),
    );
    let caller = Caller::of(&runtime, service(&runtime).max_payload(12).max_event_payload(1));
    let sized = |len: usize| {
        let mut request = invoke("f", &[]);
        *request.body_mut() = Full::from("1".repeat(len));
        caller.send(request)
    };
    assert_eq!(sized(3).headers().get("x-amz-function-error"), None);
    assert_eq!(sized(4).headers()["x-amz-function-error"], "Unhandled");
    assert_eq!(sized(13).headers()["x-amzn-errortype"], "RequestTooLargeException");
    assert_eq!(caller.status(event("f")), 413);
}

#[test]
fn no_more_payloads_are_kept_than_may_be() {
    let runtime = runtime();
    let latch = Latch::new();
    let handler = deploy(&runtime, native_holding("f", &latch));
    let service = service(&runtime).max_buffered(3);
    let mut held = Box::pin(service.clone().call(invoke("f", &[])));
    assert!(poll(&mut held).is_pending());
    let caller = Caller::of(&runtime, service);
    let refused = caller.send(invoke("f", &[]));
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &"1".parse().unwrap()));
    drop(held);
    latch.open();
    assert_eq!(caller.status(invoke("f", &[])), 200);
    assert_quiet(&runtime, &[&handler]);
}
