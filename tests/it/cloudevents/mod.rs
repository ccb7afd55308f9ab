//! Events over HTTP, as senders meet them: modes in and out, batches, limits, the handshake, hostile bodies.

mod answers;
mod batches;
mod handshake;
mod hostile;
mod requests;

use fnhost::http::CloudEvents;
use fnhost::{Bytes, Context, Event, Failure, Function, Handler, Response, Runtime};
use http::request::Builder;
use serde_json::{Value, json};

use crate::kit::host;

const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

type Answered = http::Response<Bytes>;

/// A native function that answers what a plain function makes of the event.
fn native(answer: impl Fn(Event) -> Result<Response, Failure> + Send + Sync + 'static) -> (Runtime, Handler) {
    host(Function::native("native", move |event: Event, _: Context| {
        let answer = answer(event);
        async move { answer }
    }))
}

/// Answers the event that it was given, as JSON.
fn mirror() -> (Runtime, Handler) {
    native(|event| Ok(Response::from_json(&event)?))
}

/// Answers with an event of its own, by attributes.
fn echo_event() -> (Runtime, Handler) {
    native(|event| {
        let answer = Response::from_bytes(event.body().clone()).with_content_type("text/plain");
        let answer = answer.with_attribute("ce-type", "echoed").with_attribute("ce-id", event.id());
        Ok(answer.with_attribute("ce-source", "/echo").with_attribute("ce-note", "a ö"))
    })
}

fn post(content_type: &str) -> Builder {
    http::Request::post("/").header("content-type", content_type)
}

/// A request in binary mode, its body a text.
fn binary() -> Builder {
    let request = post("text/plain").header("ce-specversion", "1.0").header("ce-type", "said");
    request.header("ce-source", "/here").header("ce-id", "7")
}

fn event(id: impl ToString, body: impl Into<Value>) -> Value {
    let (id, body) = (id.to_string(), body.into());
    json!({ "specversion": "1.0", "type": "said", "source": "/here", "id": id, "data": body })
}

/// Waits for an answer on this thread.
fn block<F: Future>(answer: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(answer)
}

fn serve_as(events: &CloudEvents, handler: &Handler, request: Builder, body: impl Into<Bytes>) -> Answered {
    block(events.serve(handler, Context::new(), request.body(body.into()).unwrap()))
}

fn serve(handler: &Handler, request: Builder, body: impl Into<Bytes>) -> Answered {
    serve_as(&CloudEvents::new(), handler, request, body)
}

fn serve_batch(handler: &Handler, events: &[Value]) -> Answered {
    serve(handler, post(BATCH), json!(events).to_string())
}

#[track_caller]
fn value(answered: &Answered) -> Value {
    serde_json::from_slice(answered.body()).expect("JSON")
}

fn header<'a>(answered: &'a Answered, name: &str) -> Option<&'a str> {
    answered.headers().get(name).map(|value| value.to_str().unwrap())
}

fn content_type(answered: &Answered) -> Option<&str> {
    header(answered, "content-type")
}

/// Asserts that a request was refused with a reason that says all of this.
#[track_caller]
fn refused(answered: &Answered, status: u16, error: &str, parts: &[&str]) {
    let found = value(answered);
    assert_eq!((answered.status().as_u16(), &found["error"]), (status, &json!(error)), "{found}");
    assert_eq!(content_type(answered), Some("application/json"));
    let message = found["message"].as_str().expect("a reason");
    for part in parts {
        assert!(message.contains(part), "{part:?} is missing: {message}");
    }
}
