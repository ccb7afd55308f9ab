//! Batches: results in order, statuses of their own, bounded concurrency and memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use fnhost::http::CloudEvents;
use fnhost::{Bytes, Context, Event, Failure, Function, Response};
use serde_json::{Value, json};

use super::{
    BATCH, STRUCTURED, block, content_type, echo_event, event, header, native, post, serve, serve_as,
    serve_batch, value,
};
use crate::kit::{Latch, assert_quiet, host, native_holding, poll};

#[test]
fn each_event_has_a_result_in_its_place() {
    let (_runtime, native) = native(|event| match event.body_text()? {
        "1" => Ok(Response::from_text("one")),
        "2" => Ok(Response::new()),
        "3" => Ok(Response::from_bytes(vec![0xff]).with_content_type("image/png")),
        "4" => Ok(Response::from_text("4").with_attribute("ce-type", "four").with_attribute("ce-id", "4")),
        _ => Ok(Response::from_json(&json!({ "a": 5 }))?.with_attribute("http.status", "201")),
    });
    let answered = serve_batch(&native, &[1, 2, 3, 4, 5].map(|n| event(n, n)));
    assert_eq!((answered.status().as_u16(), content_type(&answered)), (200, Some("application/json")));
    let text = "text/plain; charset=utf-8";
    let four = json!({
        "specversion": "1.0", "type": "four", "id": "4", "source": "/fnhost", "datacontenttype": text, "data": "4",
    });
    let expected = json!([
        { "id": "1", "source": "/here", "status": 200, "datacontenttype": text, "data": "one" },
        { "id": "2", "source": "/here", "status": 202 },
        { "id": "3", "source": "/here", "status": 200, "datacontenttype": "image/png", "data_base64": "/w==" },
        { "id": "4", "source": "/here", "status": 200, "event": four },
        { "id": "5", "source": "/here", "status": 201, "datacontenttype": "application/json", "data": { "a": 5 } },
    ]);
    assert_eq!(value(&answered), expected);
}

#[test]
fn a_batch_to_which_nothing_is_said_is_accepted() {
    let (_runtime, native) = native(|_| Ok(Response::new()));
    for events in [vec![], vec![event(1, 1), event(2, 2)]] {
        let answered = serve_batch(&native, &events);
        assert_eq!((answered.status().as_u16(), answered.headers().len()), (202, 0));
        assert!(answered.body().is_empty());
    }
}

#[test]
fn a_batch_that_went_well_is_answered_with_a_batch_if_that_is_asked_for() {
    let (_runtime, echo) = echo_event();
    let body = || json!([event(1, "a"), event(2, "b")]).to_string();
    let answered = serve(&echo, post(BATCH).header("accept", BATCH), body());
    assert_eq!((answered.status().as_u16(), content_type(&answered)), (200, Some(BATCH)));
    let ids: Vec<Value> =
        value(&answered).as_array().unwrap().iter().map(|event| event["id"].clone()).collect();
    assert_eq!(ids, ["1", "2"]);
    let (_runtime, native) = native(|_| Ok(Response::from_text("no event")));
    let answered = serve(&native, post(BATCH).header("accept", BATCH), body());
    assert_eq!(content_type(&answered), Some("application/json"), "nothing is left out");
    // One event is no answer to two, so this is no wish that can be granted.
    let answered = serve(&echo, post(BATCH).header("accept", STRUCTURED), body());
    assert_eq!(content_type(&answered), Some("application/json"));
}

#[test]
fn the_status_of_the_whole_is_the_one_most_worth_another_try() {
    let (_runtime, native) = native(|event| {
        let status = event.body_text()?;
        if status == "fail" {
            return Err(Failure::new("a", "b"));
        }
        Ok(Response::new().with_attribute("http.status", status))
    });
    let tables: [(&[&str], u16); 7] = [
        (&["200", "204"], 202),
        (&["200", "404"], 404),
        (&["404", "400", "410"], 410),
        (&["404", "429", "499"], 429),
        (&["429", "500", "200"], 500),
        (&["fail", "500"], 502),
        (&["200", "304"], 202),
    ];
    for (statuses, whole) in tables {
        let events: Vec<Value> = statuses
            .iter()
            .map(|status| {
                let mut event = event(1, *status);
                event["datacontenttype"] = json!("text/plain");
                event
            })
            .collect();
        let answered = serve(&native, post(BATCH).header("accept", BATCH), json!(events).to_string());
        assert_eq!(answered.status().as_u16(), whole, "{statuses:?}");
        if whole != 202 {
            assert_eq!(content_type(&answered), Some("application/json"), "{statuses:?}");
        }
    }
}

#[test]
fn each_event_keeps_the_limits_of_its_function() {
    let (_runtime, echo) = host(Function::wasm("echo", crate::kit::ECHO).max_event(4));
    let answered = serve_batch(&echo, &[event(1, 1), event(2, "too large"), event(3, 3)]);
    let results = value(&answered);
    assert_eq!(answered.status(), 413);
    assert_eq!((&results[0]["data"], &results[2]["data"]), (&json!(1), &json!(3)));
    assert_eq!((&results[1]["status"], &results[1]["error"]), (&json!(413), &json!("payload-too-large")));
    assert_eq!(results[1]["id"], "2");
}

#[test]
fn throttled_events_of_a_batch_are_told_when_to_come_again() {
    let latch = Latch::new();
    let (_runtime, held) = host(native_holding("held", &latch).concurrency(1).queue(1));
    let events = CloudEvents::new().concurrency(4);
    let body = Bytes::from(json!([event(1, 1), event(2, 2), event(3, 3)]).to_string());
    let mut serving = Box::pin(events.serve(&held, Context::new(), post(BATCH).body(body).unwrap()));
    assert!(poll(&mut serving).is_pending());
    latch.open();
    let answered = block(serving);
    let results = value(&answered);
    assert_eq!((answered.status().as_u16(), &results[2]["error"]), (503, &json!("throttled")));
    assert_eq!((&results[0]["status"], &results[1]["status"]), (&json!(202), &json!(202)));
    assert!(header(&answered, "retry-after").is_some());
}

#[test]
fn only_so_many_events_are_with_the_function_and_results_keep_their_order() {
    let latch = Latch::new();
    let (runtime, held) = host(native_holding("held", &latch));
    let events = CloudEvents::new().concurrency(3);
    let batch: Vec<Value> = (0..10).map(|n| event(n, n)).collect();
    let request = post(BATCH).body(Bytes::from(json!(batch).to_string())).unwrap();
    let mut serving = Box::pin(events.serve(&held, Context::new(), request));
    assert!(poll(&mut serving).is_pending());
    assert_eq!((latch.came(), held.stats().unwrap().running), (3, 3));
    latch.open();
    assert_eq!(block(serving).status(), 202);
    assert_eq!(latch.came(), 10);
    assert_quiet(&runtime, &[&held]);
}

#[test]
fn the_first_to_end_is_not_the_first_to_be_told() {
    let latch = Latch::new();
    let first = latch.clone();
    let (_runtime, native) = host(Function::native("native", move |event: Event, _: Context| {
        let latch = first.clone();
        async move {
            let text = event.body_text()?.to_owned();
            if text == "0" {
                latch.pass(Response::from_text(text)).await
            } else {
                Ok(Response::from_text(text))
            }
        }
    }));
    let batch: Vec<Value> = (0..5).map(|n| event(n, n)).collect();
    let request = post(BATCH).body(Bytes::from(json!(batch).to_string())).unwrap();
    let events = CloudEvents::new();
    let mut serving = Box::pin(events.serve(&native, Context::new(), request));
    assert!(poll(&mut serving).is_pending());
    latch.open();
    let results = value(&block(serving));
    let said: Vec<&Value> = results.as_array().unwrap().iter().map(|result| &result["data"]).collect();
    assert_eq!(said, ["0", "1", "2", "3", "4"]);
}

#[test]
fn dropping_the_request_cancels_what_has_no_answer() {
    let latch = Latch::new();
    let (runtime, held) = host(native_holding("held", &latch).concurrency(2));
    let batch: Vec<Value> = (0..10).map(|n| event(n, n)).collect();
    let request = post(BATCH).body(Bytes::from(json!(batch).to_string())).unwrap();
    let events = CloudEvents::new().concurrency(4);
    let mut serving = Box::pin(events.serve(&held, Context::new(), request));
    assert!(poll(&mut serving).is_pending());
    assert_eq!(held.stats().unwrap().running, 2);
    drop(serving);
    assert_eq!(latch.came(), 2);
    assert_quiet(&runtime, &[&held]);
}

#[test]
fn answers_of_a_batch_are_limited_together() {
    let held = Arc::new(AtomicUsize::new(0));
    let made = Arc::clone(&held);
    let (_runtime, native) = native(move |_| {
        made.fetch_add(1, SeqCst);
        Ok(Response::from_bytes(vec![b'a'; 1_000]).with_content_type("text/plain"))
    });
    let batch: Vec<Value> = (0..5).map(|n| event(n, n)).collect();
    let events = CloudEvents::new().max_answers(2_500);
    let answered = serve_as(&events, &native, post(BATCH), json!(batch).to_string());
    let results = value(&answered);
    assert_eq!((answered.status().as_u16(), held.load(SeqCst)), (200, 5));
    let omitted: Vec<&Value> = results.as_array().unwrap().iter().map(|result| &result["omitted"]).collect();
    assert_eq!(omitted, [&Value::Null, &Value::Null, &json!(1_000), &json!(1_000), &json!(1_000)]);
    assert!(answered.body().len() < 3_000);
}
