//! What comes in: every mode makes the same event.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use fnhost::http::CloudEvents;
use fnhost::{Bytes, Context, Event, Function, Response};
use serde_json::json;

use super::{BATCH, STRUCTURED, binary, block, event, mirror, native, post, refused, serve, serve_as, value};
use crate::kit::host;

#[test]
fn one_event_is_the_same_in_every_mode() {
    let (_runtime, mirror) = mirror();
    let expected = json!({
        "specversion": "1.0", "type": "said", "source": "/here", "id": "7", "subject": "a ö",
        "note": "x", "datacontenttype": "text/plain", "data": "hi",
    });
    let request = binary().header("ce-subject", "a%20%C3%B6").header("ce-note", "\"x\"");
    assert_eq!(value(&serve(&mirror, request, "hi")), expected);
    assert_eq!(value(&serve(&mirror, post(STRUCTURED), expected.to_string())), expected);
    let results = value(&serve(&mirror, post(BATCH), json!([expected]).to_string()));
    assert_eq!(results[0]["data"], expected);
}

#[test]
fn a_put_carries_an_event_too_and_nothing_else_does() {
    let (_runtime, mirror) = mirror();
    assert_eq!(serve(&mirror, binary().method("PUT"), "hi").status(), 200);
    for method in ["GET", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "PURGE"] {
        let answered = serve(&mirror, binary().method(method), "hi");
        refused(&answered, 405, "method-not-allowed", &["POST, PUT"]);
        assert_eq!(answered.headers()["allow"], "POST, PUT");
    }
}

#[test]
fn what_is_no_event_reaches_no_function() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let (_runtime, native) = native(move |_| {
        counted.fetch_add(1, SeqCst);
        Ok(Response::new())
    });
    let no_id = binary().header("ce-id", "8");
    refused(&serve(&native, no_id, "hi"), 400, "bad-request", &["ce-id", "twice"]);
    let no_event = http::Request::post("/").header("content-type", "application/json");
    refused(&serve(&native, no_event, "{}"), 415, "unsupported-media-type", &["ce-specversion"]);
    let missing = http::Request::post("/").header("ce-specversion", "1.0");
    refused(&serve(&native, missing, "{}"), 400, "bad-request", &["id: it is missing"]);
    let avro = post("application/cloudevents+avro");
    refused(&serve(&native, avro, "{}"), 415, "unsupported-media-type", &["+avro", STRUCTURED]);
    for body in ["", "{}", "[]", "7", "{\"specversion\":\"1.0\"}", &format!("{} x", event(1, 1))] {
        refused(&serve(&native, post(STRUCTURED), body.to_owned()), 400, "bad-request", &["no event"]);
    }
    assert_eq!(calls.load(SeqCst), 0);
}

#[test]
fn events_of_a_batch_have_ids_of_their_own_and_share_the_rest_of_the_context() {
    let (_runtime, told) = host(Function::native("told", async |_: Event, context: Context| {
        let (tenant, color) = (context.tenant().unwrap(), context.attribute("color").unwrap());
        Ok(Response::from_json(&(context.request_id().to_string(), tenant, color))?)
    }));
    let request = post(BATCH).body(Bytes::from(json!([event(1, 1), event(2, 2)]).to_string())).unwrap();
    let context = Context::new().with_tenant("acme").with_attribute("color", "blue");
    let results = value(&block(CloudEvents::new().serve(&told, context, request)));
    let (one, other) = (&results[0]["data"], &results[1]["data"]);
    assert_ne!(one[0], other[0]);
    assert_eq!(
        (&one[1], &one[2], &other[1], &other[2]),
        (&json!("acme"), &json!("blue"), &json!("acme"), &json!("blue"))
    );
}

#[test]
fn a_batch_is_limited_in_number() {
    let (_runtime, mirror) = mirror();
    let events: Vec<_> = (0..1_001).map(|n| event(n, n)).collect();
    let results = value(&serve(&mirror, post(BATCH), json!(events[1..]).to_string()));
    assert_eq!(results.as_array().map(Vec::len), Some(1_000));
    let limit = &["more than 1000 events, which is the limit; send several batches"];
    refused(&serve(&mirror, post(BATCH), json!(events).to_string()), 400, "bad-request", limit);
    let two = CloudEvents::new().max_batch(2);
    let answered = serve_as(&two, &mirror, post(BATCH), json!(events[..3]).to_string());
    refused(&answered, 400, "bad-request", &["more than 2 events"]);
}

#[test]
fn a_batch_with_one_wrong_event_reaches_no_function() {
    let (_runtime, mirror) = mirror();
    let mut wrong = event(2, 2);
    wrong["time"] = json!("yesterday");
    let answered = serve(&mirror, post(BATCH), json!([event(1, 1), wrong, event(3, 3)]).to_string());
    refused(&answered, 400, "bad-request", &["event 2: invalid event: time"]);
    let mut draft = event(2, 2);
    draft["specversion"] = json!("0.3");
    let answered = serve(&mirror, post(BATCH), json!([draft]).to_string());
    refused(&answered, 400, "bad-request", &["event 1:", "specversion"]);
}

#[test]
fn settings_that_cannot_work_are_found() {
    CloudEvents::new().check().unwrap();
    for wrong in [
        CloudEvents::new().max_batch(0),
        CloudEvents::new().concurrency(0),
        CloudEvents::new().allow_sender(""),
        CloudEvents::new().allow_sender("a\r\nb"),
        CloudEvents::new().allow_sender("ö.example"),
    ] {
        assert_eq!(wrong.check().unwrap_err().kind().name(), "invalid-configuration", "{wrong:?}");
    }
}
