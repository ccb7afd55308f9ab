//! Requests as events: what is seen of them, and which are refused.

use bytes::Bytes;
use http::Request;
use http::request::Parts;

use super::headers;
use crate::context::Context;
use crate::event::http::request::{self, Refusal};
use crate::event::http::{MAX_HEADER_BYTES, MAX_HEADERS};
use crate::event::{Event, Extension};

fn parts<V: AsRef<[u8]>>(method: &str, uri: &[u8], lines: &[(&str, V)]) -> Parts {
    let (mut parts, ()) =
        Request::builder().method(method).uri(uri).body(()).expect("a request").into_parts();
    parts.headers = headers(lines);
    parts
}

#[track_caller]
fn read(parts: &Parts, body: &'static str) -> (Context, Event) {
    request::read(Context::new(), parts, Bytes::from_static(body.as_bytes())).expect("it is an event")
}

#[track_caller]
fn refusal<V: AsRef<[u8]>>(uri: &[u8], lines: &[(&str, V)]) -> (u16, String) {
    let refused = request::read(Context::new(), &parts("GET", uri, lines), Bytes::new());
    let refused = refused.expect_err("the request is accepted");
    (refused.status().as_u16(), refused.to_string())
}

#[test]
fn a_request_is_an_event_with_its_line_as_extensions() {
    let lines = [("host", "shop.example:8080"), ("content-type", "application/json"), ("accept", "*/*")];
    let (context, event) = read(&parts("PUT", b"/users/a%20b?x=1&y=%2F", &lines), "{}");
    event.check().unwrap();
    assert_eq!((event.event_type(), event.source()), ("http.request", "//shop.example:8080"));
    assert_eq!(event.id(), context.request_id().to_string());
    let extensions: Vec<_> = event.extensions().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(extensions, ["httpmethod=PUT", "httppath=/users/a%20b", "httpquery=x=1&y=%2F"]);
    assert_eq!((event.content_type(), event.body_text().unwrap()), (Some("application/json"), "{}"));
    assert_eq!(context.attribute("http.header.accept"), Some("*/*"));
    assert_eq!(context.attribute("http.header.content-type"), Some("application/json"));
}

#[test]
fn what_the_request_lacks_the_event_lacks() {
    let (context, event) = read(&parts::<&str>("GET", b"/", &[]), "");
    assert_eq!((event.source(), event.content_type()), ("/fnhost", None));
    assert_eq!(event.extension("httpquery"), None);
    assert_eq!(event, event.clone().with_extension("httppath", "/"));
    assert_ne!(event, event.clone().with_body(""), "it has no body");
    assert_eq!(context.attributes().count(), 0);
    let (_, event) = read(&parts::<&str>("GET", b"/?", &[]), "");
    assert_eq!(event.extension("httpquery"), Some(&Extension::from("")));
    let (_, event) = read(&parts("POST", b"/", &[("content-type", "a/b")]), "");
    assert_eq!(event, event.clone().with_body(""), "it has an empty one");
}

#[test]
fn the_source_is_the_host_that_was_asked_for() {
    let host = [("host", "other.example")];
    let asked: [(&[u8], &str); 6] = [
        (b"/", "//other.example"),
        (b"http://shop.example/", "//shop.example"),
        (b"https://shop.example:443/", "//shop.example:443"),
        (b"http://ada:secret@shop.example/", "//shop.example"),
        (b"http://[::1]:80/", "//[::1]:80"),
        (b"*", "//other.example"),
    ];
    for (uri, source) in asked {
        assert_eq!(read(&parts("GET", uri, &host), "").1.source(), source);
    }
    assert_eq!(read(&parts("GET", b"/", &[("host", "")]), "").1.source(), "/fnhost");
    for wrong in ["a b", "a/b\"", "[::1", "a:port", "ä"] {
        let (status, reason) = refusal(b"/", &[("host", wrong)]);
        assert!(status == 400 && reason.contains("source"), "{wrong}: {reason}");
    }
    let (status, reason) = refusal(b"/", &[("host", "a"), ("host", "b")]);
    assert_eq!((status, reason.as_str()), (400, "the header host stands there twice; send it once"));
}

#[test]
fn several_values_of_a_header_are_joined() {
    let lines = [
        ("accept", "a/b"),
        ("Cookie", "a=1"),
        ("ACCEPT", "c/d"),
        ("cookie", "b=2; c=3"),
        ("x-empty", ""),
        ("x-tab", "a\tb"),
        ("x-text", "ä"),
    ];
    let (context, _) = read(&parts("GET", b"/", &lines), "");
    let attributes: Vec<_> = context.attributes().collect();
    let expected = [
        ("http.header.accept", "a/b, c/d"),
        ("http.header.cookie", "a=1; b=2; c=3"),
        ("http.header.x-empty", ""),
        ("http.header.x-tab", "a\tb"),
        ("http.header.x-text", "ä"),
    ];
    assert_eq!(attributes, expected);
}

#[test]
fn headers_of_the_connection_are_left_behind() {
    let framing = [
        "connection",
        "content-length",
        "http2-settings",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    let lines: Vec<_> = framing.map(|name| (name, "authorization")).into();
    let lines = [lines, vec![("authorization", "Bearer a")]].concat();
    let (context, _) = read(&parts("GET", b"/", &lines), "");
    let attributes: Vec<_> = context.attributes().collect();
    assert_eq!(attributes, [("http.header.authorization", "Bearer a")], "no client hides it");
}

#[test]
fn a_client_sets_no_attributes_but_those_of_headers() {
    let context = Context::new().with_attribute("auth.sub", "ada").with_attribute("http.param.id", "7");
    let lines = [("auth.sub", "eve"), ("http.param.id", "8"), ("http.header.x", "9")];
    let (context, _) = request::read(context, &parts("GET", b"/", &lines), Bytes::new()).unwrap();
    assert_eq!((context.attribute("auth.sub"), context.attribute("http.param.id")), (Some("ada"), Some("7")));
    assert_eq!(context.attribute("http.header.auth.sub"), Some("eve"));
    assert_eq!(context.attribute("http.header.x"), None);
}

#[test]
fn a_content_type_that_is_none_stands_in_the_context_alone() {
    for value in ["text", "text/plain;", ""] {
        let (context, event) = read(&parts("POST", b"/", &[("content-type", value)]), "x");
        assert_eq!((event.content_type(), event.body_text().unwrap()), (None, "x"));
        assert_eq!(context.attribute("http.header.content-type"), Some(value));
    }
    let (status, _) = refusal(b"/", &[("content-type", "a/b"), ("content-type", "c/d")]);
    assert_eq!(status, 400);
}

#[test]
fn what_is_not_text_is_refused() {
    let (status, reason) = refusal(b"/", &[("x-name", b"\xe4")]);
    assert_eq!((status, reason.as_str()), (400, "the header x-name is not UTF-8; encode its value"));
    let (_, event) = read(&parts::<&str>("GET", "/ä?ö".as_bytes(), &[]), "");
    assert_eq!(event.extension("httppath"), Some(&Extension::from("/ä")));
    assert_eq!(refusal::<&str>("/\u{85}".as_bytes(), &[]).0, 400, "a control character");
}

#[test]
fn headers_are_limited_in_number_and_bytes() {
    let many: Vec<_> = (0..=MAX_HEADERS).map(|_| ("x", "")).collect();
    let _ = read(&parts("GET", b"/", &many[1..]), "");
    let (status, reason) = refusal(b"/", &many);
    assert_eq!((status, reason.as_str()), (431, "129 headers, the limit is 128; send fewer"));
    let value = "v".repeat(MAX_HEADER_BYTES - 1);
    let _ = read(&parts("GET", b"/", &[("x", &value)]), "");
    let (status, reason) = refusal(b"/", &[("xx", &value)]);
    assert_eq!((status, reason.as_str()), (431, "65537 bytes of headers, the limit is 65536; send less"));
}

#[test]
fn a_refusal_is_an_error_of_the_event() {
    let error: crate::error::Error = Refusal::TooManyHeaders { found: 200 }.into();
    let said = "invalid event: http.request: 200 headers, the limit is 128; send fewer";
    assert_eq!(error.to_string(), said);
}
