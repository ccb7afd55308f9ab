//! Requests to handlers that take events, without a gateway: each has one ending, which is reported.

use std::sync::{Arc, Mutex};
use std::task::Poll;

use fnhost::{Bytes, Context, Error, Event, Failure, Function, Handler, Outcome, Report, Response, Runtime};
use futures_util::stream;
use http_body::{Body, Frame};
use http_body_util::{Empty, Full, StreamBody};

use crate::kit::{assert_quiet, deploy, kind, small};

type Chunk = Result<Frame<Bytes>, std::io::Error>;
type Heard = Arc<Mutex<Vec<Report>>>;

fn host(function: Function) -> (Runtime, Handler, Heard) {
    let heard = Heard::default();
    let all = Arc::clone(&heard);
    let runtime =
        small().observer(move |report: &Report| all.lock().unwrap().push(report.clone())).build().unwrap();
    let handler = deploy(&runtime, function);
    (runtime, handler, heard)
}

/// Answers how long the body is, with these attributes.
fn measure(attributes: &'static [(&str, &str)]) -> Function {
    Function::native("measure", move |event: Event, _: Context| async move {
        let answer = Response::from_text(event.body().len().to_string());
        let with = |answer: Response, (name, value): &(&str, &str)| answer.with_attribute(*name, *value);
        Ok::<_, Failure>(attributes.iter().fold(answer, with))
    })
}

/// What keeps a request from being answered; its report is the only one that is heard.
#[track_caller]
fn refused<B>((runtime, handler, heard): &(Runtime, Handler, Heard), request: http::Request<B>) -> Error
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let error = runtime.block_on(handler.http(Context::new(), request)).expect_err("it is refused");
    let report = error.report().expect("every ending has a report");
    let heard = std::mem::take(&mut *heard.lock().unwrap());
    assert_eq!(heard.len(), 1, "one ending, one report: {heard:?}");
    assert_eq!(heard[0].request_id, report.request_id);
    assert_eq!((report.function(), report.version()), ("measure", 1));
    assert_quiet(runtime, &[handler]);
    error
}

#[test]
fn too_many_headers_are_refused_before_the_body_is_read() {
    let host = host(measure(&[]));
    let unread = StreamBody::new(stream::poll_fn(|_| -> Poll<Option<Chunk>> { panic!("it was read") }));
    let mut request = http::Request::post("/").body(unread).unwrap();
    for number in 0..200 {
        let name = http::HeaderName::try_from(format!("x-{number}")).unwrap();
        request.headers_mut().insert(name, http::HeaderValue::from_static("a"));
    }
    let error = refused(&host, request);
    assert_eq!(error.report().unwrap().outcome, Outcome::Error("invalid-event"));
    assert!(error.to_string().contains("200 headers, the limit is 128"), "{error}");
}

#[test]
fn a_body_that_does_not_come_whole_is_reported_with_what_came() {
    let host = host(measure(&[]).max_event(10));
    let large = http::Request::post("/").body(Full::new(Bytes::from("0123456789a"))).unwrap();
    let error = refused(&host, large);
    assert_eq!((error.kind().name(), error.report().unwrap().bytes_in), ("payload-too-large", 11));
    let broken: [Chunk; 2] = [Ok(Frame::data("abc".into())), Err(std::io::Error::other("gone"))];
    let broken = http::Request::post("/").body(StreamBody::new(stream::iter(broken))).unwrap();
    let error = refused(&host, broken);
    assert_eq!((error.kind().name(), error.report().unwrap().bytes_in), ("invalid-body", 3));
}

#[test]
fn an_answer_that_http_cannot_carry_is_an_error_with_the_report_of_who_gave_it() {
    let host = host(measure(&[("http.status", "tea")]));
    let error = refused(&host, http::Request::get("/").body(Empty::<Bytes>::new()).unwrap());
    assert_eq!(error.kind().name(), "invalid-answer");
    assert_eq!(error.report().unwrap().outcome, Outcome::Success, "the function has ended well");
}

#[test]
fn without_a_gateway_bodies_have_the_limit_of_the_function_alone() {
    let (runtime, handler, _) = host(measure(&[]).max_event(3));
    let ask = |body: &'static str| {
        let request = http::Request::post("/").body(Full::new(Bytes::from(body))).unwrap();
        runtime.block_on(handler.http(Context::new(), request))
    };
    assert_eq!(ask("abc").unwrap().status(), 200);
    assert_eq!(kind(ask("abcd")), "payload-too-large");
}
