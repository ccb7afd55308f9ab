//! What a client is told when something goes wrong, and what it is not.

use std::time::Duration;

use fnhost::{Context, Event, Failure, Function, Response};

use super::{HTTP, answering, gateway, get, post, request, send, single, with};
use crate::kit::MISBEHAVE_BYTES;

fn failing() -> Function {
    Function::native("failing", async |_: Event, _: Context| {
        Err::<Response, _>(Failure::new("secret-kind", "the password is 1234"))
    })
}

#[test]
fn what_a_function_said_is_not_told_unless_errors_are_exposed() {
    let trap = || {
        Function::wasm(
            "trap",
            "(module (memory (export \"memory\") 1) \
        (func (export \"fnhost_alloc\") (param i32) (result i32) i32.const 0) \
        (func $secret_name (export \"fnhost_handle\") (param i32 i32) (result i64) unreachable))",
        )
    };
    for exposed in [false, true] {
        let (_runtime, gateway) = gateway([failing(), trap()], |builder| {
            builder.route("/failing", "failing").route("/trap", "trap").expose_errors(exposed)
        });
        let failed = get(&gateway, "/failing");
        assert_eq!(failed.refused(), (502, "failed".into()));
        assert_eq!(failed.body.contains("secret-kind: the password is 1234"), exposed, "{}", failed.body);
        let trapped = get(&gateway, "/trap");
        assert_eq!(trapped.refused(), (502, "trapped".into()));
        assert_eq!(trapped.body.contains("secret_name"), exposed, "{}", trapped.body);
    }
}

#[test]
fn each_ending_has_its_status() {
    let code = Function::wasm("code", MISBEHAVE_BYTES).timeout(Duration::from_millis(50)).max_event(1_000);
    let large = Function::native("large", async |_: Event, _: Context| {
        Ok::<_, Failure>(Response::from_bytes(vec![0; 2_000]))
    });
    let spin =
        Function::wasm("spin", crate::kit::module("", crate::kit::SPIN)).timeout(Duration::from_millis(20));
    let (_runtime, gateway) = gateway([code, large.max_response(1_000), spin], |builder| {
        builder.route("/code", "code").route("/large", "large").route("/spin", "spin")
    });
    let too_large = vec![0_u8; 1_001];
    let request = request("POST", "/code").map(|_| too_large.into());
    assert_eq!(send(&gateway, request).refused(), (413, "payload-too-large".into()));
    assert_eq!(get(&gateway, "/large").refused(), (502, "payload-too-large".into()));
    assert_eq!(get(&gateway, "/spin").refused(), (504, "timed-out".into()));
}

#[test]
fn a_runtime_that_shuts_down_is_503_with_retry_after() {
    let (runtime, gateway) = single(answering("a", &[]), |route| route);
    runtime.block_on(runtime.shutdown(Duration::from_secs(1)));
    let answer = get(&gateway, "/");
    assert_eq!(answer.refused(), (503, "shutting-down".into()));
    assert_eq!(answer.header("retry-after"), Some("5"));
}

#[test]
fn the_gateway_keeps_the_runtime_running() {
    let (runtime, gateway) = single(answering("a", &[]), |route| route);
    drop(runtime);
    assert_eq!(get(&gateway, "/").status, 200);
}

#[test]
fn headers_that_no_event_can_hold_are_refused() {
    let (_runtime, gateway) = single(answering("a", &[]), |route| route);
    let many = (0..200).fold(request("GET", "/"), |request, _| with(request, "x-a", "1"));
    assert_eq!(send(&gateway, many).refused().0, 431);
    assert_eq!(send(&gateway, with(request("GET", "/"), "x-a", &"x".repeat(70_000))).refused().0, 431);
}

#[test]
fn an_answer_that_is_none_is_502() {
    for attributes in [
        &[("http.status", "101")][..],
        &[("http.status", "abc")],
        &[("http.header.a b", "1")],
        &[("http.header.transfer-encoding", "chunked")],
    ] {
        let (_runtime, gateway) = single(answering("a", attributes), |route| route);
        assert_eq!(get(&gateway, "/").refused(), (502, "invalid-answer".into()), "{attributes:?}");
    }
}

#[test]
fn what_a_guest_says_of_the_connection_is_left_out() {
    let (_runtime, gateway) = single(Function::wasm("guest", HTTP), |route| route);
    let answer = get(&gateway, "/length?declared=10&bytes=10");
    assert_eq!((answer.body.len(), answer.header("content-length")), (10, None));
    let answer = send(&gateway, post("/trailers", "abc"));
    assert_eq!(answer.header("trailer"), None);
    let informational = get(&gateway, "/status?code=101");
    assert_eq!(informational.refused().0, 502, "{}", informational.body);
    assert_eq!(get(&gateway, "/status?code=418").status, 418);
    assert_eq!(get(&gateway, "/trap").refused(), (502, "trapped".into()));
}
