//! Authorizers in front of functions: what a function that is asked can answer, and what it does when it cannot.

use fnhost::http::{Authorizer, Denied, Identity, ask};
use fnhost::{Context, Event, Failure, Function, Response};
use http::Request;
use http::request::Parts;

use crate::kit::{Latch, MISBEHAVE, host, native_holding, poll};

fn request() -> Parts {
    let request = Request::post("/orders/7?full=1").header("authorization", "Key s3cret");
    request.body(()).unwrap().into_parts().0
}

/// Asks a function once.
fn asked(function: Function) -> Result<Identity, Denied> {
    let (runtime, handler) = host(function);
    let authorizer = ask(handler);
    runtime.block_on(authorizer.authorize(&request()))
}

#[test]
fn a_function_sees_the_head_of_the_request() {
    let door = async |event: Event, context: Context| {
        let extension = |name| event.extension(name).map(ToString::to_string);
        let attributes = serde_json::json!({
            "seen": format!("{:?} {:?} {:?}", extension("httpmethod"), extension("httppath"), extension("httpquery")),
            "key": context.attribute("http.header.authorization"),
            "type": event.event_type(),
        });
        Response::from_json(&serde_json::json!({ "allow": true, "tenant": "acme", "attributes": attributes }))
            .map_err(Failure::from)
    };
    let identity = asked(Function::native("door", door)).unwrap();
    assert_eq!(identity.tenant(), Some("acme"));
    assert_eq!(identity.attribute("seen"), Some(r#"Some("POST") Some("/orders/7") Some("full=1")"#));
    assert_eq!(identity.attribute("key"), Some("Key s3cret"));
    assert_eq!(identity.attribute("type"), Some("http.authorize"));
}

#[test]
fn a_function_denies() {
    let door = async |_: Event, _: Context| {
        Ok::<_, Failure>(Response::from_text(
            r#"{"allow":false,"status":401,"reason":"the session is over"}"#,
        ))
    };
    let denied = asked(Function::native("door", door)).unwrap_err();
    assert_eq!(denied, Denied::unauthorized("the session is over"));
}

#[test]
fn a_request_that_no_function_can_be_shown_is_denied_without_asking() {
    let asked = |request: http::request::Builder| {
        let door = async |_: Event, _: Context| Ok::<_, Failure>(Response::from_text(r#"{"allow":true}"#));
        let (runtime, handler) = host(Function::native("door", door));
        let head = request.body(()).unwrap().into_parts().0;
        runtime.block_on(ask(handler).authorize(&head)).map_err(|denied| denied.status().as_u16())
    };
    assert_eq!(asked(Request::get("/").header("x-raw", &b"\xff"[..])), Err(400));
    let many = (0..129).fold(Request::get("/"), |request, n| request.header(format!("x-{n}"), "1"));
    assert_eq!(asked(many), Err(431));
    assert_eq!(asked(Request::get("/")), Ok(Identity::new()));
}

#[test]
fn a_function_that_fails_lets_nobody_in() {
    let failing = async |_: Event, _: Context| Err::<Response, _>(Failure::new("no-database", "at 10.0.0.7"));
    let panicking = async |_: Event, _: Context| -> Result<Response, Failure> { panic!("at 10.0.0.7") };
    assert_eq!(asked(Function::native("door", failing)).unwrap_err(), Denied::failed());
    assert_eq!(asked(Function::native("door", panicking)).unwrap_err(), Denied::failed());
    // It knows nothing of this type of event, and says so.
    assert_eq!(asked(Function::wasm("door", MISBEHAVE)).unwrap_err(), Denied::failed());
}

#[test]
fn a_function_that_is_gone_lets_nobody_in() {
    let door = async |_: Event, _: Context| Ok::<_, Failure>(Response::from_text(r#"{"allow":true}"#));
    let (runtime, handler) = host(Function::native("door", door));
    let authorizer = ask(handler);
    runtime.block_on(authorizer.authorize(&request())).unwrap();
    runtime.block_on(runtime.remove("door")).unwrap();
    assert_eq!(runtime.block_on(authorizer.authorize(&request())).unwrap_err(), Denied::failed());
}

#[test]
fn a_throttled_function_is_asked_again_later() {
    let latch = Latch::new();
    let (runtime, handler) = host(native_holding("door", &latch).concurrency(1).queue(0));
    let authorizer = ask(handler);
    let head = request();
    let mut first = authorizer.authorize(&head);
    assert!(poll(&mut first).is_pending());
    let denied = runtime.block_on(authorizer.authorize(&head)).unwrap_err();
    assert_eq!(denied.status(), 503);
    assert!(denied.retry_after().is_some());
    latch.open();
    assert_eq!(runtime.block_on(first).unwrap_err(), Denied::failed(), "the latch answers no verdict");
}
