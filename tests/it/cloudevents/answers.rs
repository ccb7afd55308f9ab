//! What goes out for one event: an event in the mode asked for, a plain answer, nothing, or why there is none.

use std::time::Duration;

use fnhost::{Context, Event, Failure, Function, Response};
use serde_json::json;

use super::{
    BATCH, STRUCTURED, binary, content_type, echo_event, event, header, native, post, refused, serve, value,
};
use crate::kit::{Latch, host, native_holding, poll, until};

#[test]
fn an_event_is_answered_in_the_mode_of_the_request() {
    let (_runtime, echo) = echo_event();
    let answered = serve(&echo, binary(), "hi");
    assert_eq!((answered.status().as_u16(), answered.body().as_ref()), (200, b"hi".as_slice()));
    let expected = [
        ("ce-specversion", "1.0"),
        ("ce-type", "echoed"),
        ("ce-id", "7"),
        ("ce-source", "/echo"),
        ("ce-note", "a%20%C3%B6"),
        ("content-type", "text/plain"),
    ];
    for (name, value) in expected {
        assert_eq!(header(&answered, name), Some(value), "{name}");
    }
    let answered = serve(&echo, post(STRUCTURED), event(7, "hi").to_string());
    assert_eq!(content_type(&answered), Some(STRUCTURED));
    let echoed = json!({
        "specversion": "1.0", "type": "echoed", "id": "7", "source": "/echo", "note": "a ö",
        "datacontenttype": "text/plain", "data": "\"hi\"",
    });
    assert_eq!(value(&answered), echoed);
    assert_eq!(header(&answered, "ce-type"), None, "it is said once");
}

#[test]
fn an_event_is_answered_in_the_mode_asked_for() {
    let (_runtime, echo) = echo_event();
    let answered = serve(&echo, binary().header("accept", STRUCTURED), "hi");
    assert_eq!((content_type(&answered), &value(&answered)["data"]), (Some(STRUCTURED), &json!("hi")));
    let answered = serve(&echo, binary().header("accept", BATCH), "hi");
    assert_eq!((content_type(&answered), &value(&answered)[0]["data"]), (Some(BATCH), &json!("hi")));
    let request = post(STRUCTURED).header("accept", "text/plain");
    let answered = serve(&echo, request, event(7, "hi").to_string());
    assert_eq!((content_type(&answered), header(&answered, "ce-id")), (Some("text/plain"), Some("7")));
}

#[test]
fn a_function_may_answer_in_structured_mode_itself() {
    let (_runtime, native) = native(|_| {
        let event = Event::bytes("made", "hi").with_id("8").with_content_type("text/plain");
        let answer =
            Response::from_json(&event)?.with_content_type("Application/CloudEvents+JSON; charset=utf-8");
        Ok(answer.with_attribute("http.header.x-more", "1").with_attribute("http.status", "201"))
    });
    let answered = serve(&native, binary(), "");
    assert_eq!((answered.status().as_u16(), answered.body().as_ref()), (201, b"hi".as_slice()));
    assert_eq!((header(&answered, "ce-id"), header(&answered, "x-more")), (Some("8"), Some("1")));
}

#[test]
fn what_an_answer_leaves_out_of_its_event_is_filled_in() {
    let (_runtime, native) = native(|_| Ok(Response::new().with_attribute("ce-type", "made")));
    let answered = serve(&native, binary(), "");
    assert_eq!(
        (header(&answered, "ce-source"), header(&answered, "ce-specversion")),
        (Some("/fnhost"), Some("1.0"))
    );
    assert!(header(&answered, "ce-id").is_some_and(|id| id.len() == 36), "{answered:?}");
    assert_eq!((answered.status().as_u16(), content_type(&answered)), (200, None));
}

#[test]
fn an_answer_that_is_no_event_stays_as_it_is() {
    let (_runtime, native) = native(|_| {
        let answer = Response::from_text("gone").with_attribute("http.status", "410");
        Ok(answer.with_attribute("http.header.x-why", "old").with_attribute("http.header.set-cookie", "a=1"))
    });
    for request in [binary(), binary().header("accept", STRUCTURED)] {
        let answered = serve(&native, request, "hi");
        assert_eq!((answered.status().as_u16(), answered.body().as_ref()), (410, b"gone".as_slice()));
        assert_eq!((header(&answered, "x-why"), header(&answered, "set-cookie")), (Some("old"), Some("a=1")));
        assert_eq!(content_type(&answered), Some("text/plain; charset=utf-8"));
    }
}

#[test]
fn an_answer_that_says_nothing_is_accepted() {
    let (_runtime, native) = native(|event| {
        let answer = Response::new();
        Ok(if event.body() == "204" { answer.with_attribute("http.status", "204") } else { answer })
    });
    for (body, status) in [("", 202), ("204", 204)] {
        let answered = serve(&native, binary(), body);
        assert_eq!((answered.status().as_u16(), answered.headers().len()), (status, 0));
        assert!(answered.body().is_empty());
    }
}

#[test]
fn a_failure_is_told_without_what_the_function_said() {
    let (_runtime, native) = native(|_| Err(Failure::new("secret", "secret")));
    let answered = serve(&native, binary(), "");
    refused(&answered, 502, "failed", &["the function failed"]);
    assert_eq!(value(&answered)["request_id"].as_str().map(str::len), Some(36));
    assert!(!String::from_utf8_lossy(answered.body()).contains("secret"));
}

#[test]
fn an_answer_that_http_cannot_carry_is_an_error_with_its_request_id() {
    let wrong = [
        Response::new().with_attribute("http.status", "100"),
        Response::new().with_attribute("http.header.transfer-encoding", "chunked"),
        Response::new().with_attribute("ce-type", "a").with_attribute("ce-time", "yesterday"),
        Response::new().with_attribute("ce-type", "a").with_attribute("ce-data", "x"),
        Response::new().with_attribute("ce-type", "a").with_attribute("http.status", "204"),
        Response::from_text("{}").with_content_type(STRUCTURED),
        Response::from_text("hi").with_attribute("http.status", "304"),
    ];
    for answer in wrong {
        let said = format!("{answer:?}");
        let (_runtime, native) = native(move |_| Ok(answer.clone()));
        let answered = serve(&native, binary().header("accept", STRUCTURED), "");
        refused(&answered, 502, "invalid-answer", &["no valid answer"]);
        assert!(value(&answered)["request_id"].is_string(), "{said}");
    }
}

#[test]
fn errors_of_the_host_are_not_told_to_senders() {
    let (_runtime, native) = native(|_| panic!("the secret of the house"));
    let answered = serve(&native, binary(), "");
    refused(&answered, 502, "panicked", &["the function failed"]);
    assert!(!String::from_utf8_lossy(answered.body()).contains("secret"));
    let (runtime, mirror) = super::mirror();
    runtime.block_on(runtime.remove("native")).unwrap();
    refused(&serve(&mirror, binary(), ""), 404, "unknown-function", &["no function"]);
}

#[test]
fn a_time_out_and_a_large_event_have_statuses_of_their_own() {
    let latch = Latch::new();
    let (_runtime, held) =
        host(native_holding("held", &latch).timeout(Duration::from_millis(5)).max_event(3));
    refused(&serve(&held, binary(), "hi"), 504, "timed-out", &[]);
    refused(
        &serve(&held, binary(), "four"),
        413,
        "payload-too-large",
        &["larger than the limit of 3 bytes; send less"],
    );
}

#[test]
fn a_throttled_event_is_told_when_to_come_again() {
    let latch = Latch::new();
    let (_runtime, held) = host(native_holding("held", &latch).concurrency(1).queue(0));
    let mut first = Box::pin(held.invoke_with(Context::new(), Event::new("first")));
    assert!(poll(&mut first).is_pending());
    until("the first one holds", || latch.came() == 1);
    let answered = serve(&held, binary(), "");
    refused(&answered, 503, "throttled", &["try again later"]);
    assert!(
        header(&answered, "retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok_and(|s| s > 0))
    );
}

#[test]
fn guests_are_sent_events_as_native_functions_are() {
    let (_runtime, echo) = host(Function::wasm("echo", crate::kit::ECHO));
    let answered = serve(&echo, post(STRUCTURED), event(1, json!({ "a": [1] })).to_string());
    assert_eq!((answered.status().as_u16(), value(&answered)), (200, json!({ "a": [1] })));
}
