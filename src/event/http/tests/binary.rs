//! Events in binary mode: what is written, what is read, what is refused.

use bytes::Bytes;
use http::{HeaderMap, Method};

use super::headers;
use crate::error::ErrorKind;
use crate::event::http::{MAX_HEADER_BYTES, MAX_HEADERS, binary};
use crate::event::{Event, Extension};

/// The four that every event has, as the binding's example has them.
const REQUIRED: [(&str, &str); 4] = [
    ("ce-specversion", "1.0"),
    ("ce-type", "com.example.someevent"),
    ("ce-id", "1234-1234-1234"),
    ("ce-source", "/mycontext/subcontext"),
];

fn read(more: &[(&str, &str)], body: &'static str) -> Result<Event, (String, String)> {
    read_lines(&[&REQUIRED, more].concat(), body)
}

fn read_lines(lines: &[(&str, &str)], body: &'static str) -> Result<Event, (String, String)> {
    binary::read(&headers(lines), Bytes::from_static(body.as_bytes())).map_err(|error| {
        match error.into_kind() {
            ErrorKind::InvalidEvent { attribute, reason } => (attribute, reason),
            other => panic!("another error: {other}"),
        }
    })
}

fn lines(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let mut lines: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn the_example_of_the_binding_is_read() {
    let more = [("ce-time", "2018-04-05T03:56:24Z"), ("content-type", "application/json; charset=utf-8")];
    let event = read(&more, "{}").unwrap();
    assert_eq!((event.event_type(), event.id()), ("com.example.someevent", "1234-1234-1234"));
    assert_eq!((event.source(), event.time()), ("/mycontext/subcontext", Some("2018-04-05T03:56:24Z")));
    assert_eq!(event.content_type(), Some("application/json; charset=utf-8"));
    assert_eq!(event.body(), "{}");
}

#[test]
fn every_attribute_is_written_to_a_header_of_its_own() {
    let event = Event::new("com.example.someevent")
        .with_id("1 2")
        .with_source("/a%20b")
        .with_subject("Euro € 😀")
        .with_time("2018-04-05T03:56:24Z")
        .with_data_schema("https://example.com/s")
        .with_content_type("text/plain; charset=\"utf-8\"")
        .with_extension("flag", true)
        .with_extension("number", -7)
        .with_extension("empty", "")
        .with_body("hi");
    let request = binary::request(&event).unwrap();
    assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/"));
    assert_eq!(request.body(), "hi");
    let expected = [
        ("ce-dataschema", "https://example.com/s"),
        ("ce-empty", ""),
        ("ce-flag", "true"),
        ("ce-id", "1%202"),
        ("ce-number", "-7"),
        ("ce-source", "/a%2520b"),
        ("ce-specversion", "1.0"),
        ("ce-subject", "Euro%20%E2%82%AC%20%F0%9F%98%80"),
        ("ce-time", "2018-04-05T03:56:24Z"),
        ("ce-type", "com.example.someevent"),
        ("content-type", "text/plain; charset=\"utf-8\""),
    ];
    assert_eq!(lines(request.headers()), expected);
}

#[test]
fn names_are_read_in_any_case_and_other_headers_left_alone() {
    let more = [("CE-Subject", "a"), ("Ce-Trace", "b"), ("accept", "c"), ("cesar", "d"), ("x-ce-id", "e")];
    let event = read(&more, "").unwrap();
    assert_eq!(event.subject(), Some("a"));
    let extensions: Vec<_> = event.extensions().collect();
    assert_eq!(extensions, [("trace", &Extension::from("b"))]);
}

#[test]
fn values_are_decoded_quoted_or_encoded() {
    let more = [
        ("ce-subject", "\"a \\\"b\\\" %E2%82%AC\""),
        ("ce-a", "100%25"),
        ("ce-b", "true"),
        ("ce-c", "x y"),
        ("ce-d", ""),
    ];
    let event = read(&more, "").unwrap();
    assert_eq!(event.subject(), Some("a \"b\" €"));
    for (name, value) in [("a", "100%"), ("b", "true"), ("c", "x y"), ("d", "")] {
        assert_eq!(event.extension(name), Some(&Extension::from(value)), "{name}");
    }
}

#[test]
fn the_four_required_attributes_are_missed_by_name() {
    for (missing, _) in REQUIRED {
        let rest: Vec<_> = REQUIRED.into_iter().filter(|(name, _)| *name != missing).collect();
        let (attribute, reason) = read_lines(&rest, "").unwrap_err();
        assert_eq!((attribute.as_str(), missing), (&missing[3..], missing));
        assert_eq!(reason, "it is missing; every event has one");
    }
}

#[test]
fn what_stands_twice_is_refused() {
    for twice in [("ce-id", "1234-1234-1234"), ("ce-type", "b"), ("CE-specversion", "1.0")] {
        let (attribute, reason) = read(&[twice], "").unwrap_err();
        assert_eq!(attribute, twice.0.to_lowercase());
        assert_eq!(reason, "the header stands there twice; leave one of them out");
    }
    let twice = [("ce-x", "1"), ("ce-x", "2")];
    assert_eq!(read(&twice, "").unwrap_err().0, "ce-x");
    let twice = [("content-type", "a/b"), ("content-type", "a/b")];
    assert_eq!(read(&twice, "").unwrap_err().0, "content-type");
}

#[test]
fn what_the_specification_refuses_is_refused() {
    let long = "ce-abcdefghij0123456789x";
    let refused = [
        ("ce-subject", "", "subject"),
        ("ce-subject", "\"\"", "subject"),
        ("ce-subject", "%0D%0Aset-cookie:%20a", "subject"),
        ("ce-subject", "a%00", "subject"),
        ("ce-subject", "\t\"a\tb\"", "subject"),
        ("ce-subject", "%C2%85", "subject"),
        ("ce-subject", "%EF%BF%BF", "subject"),
        ("ce-subject", "%C0%A0", "subject"),
        ("ce-subject", "%", "subject"),
        ("ce-subject", "\"a", "subject"),
        ("ce-time", "yesterday", "time"),
        ("ce-time", "2018-04-05T03:56:24", "time"),
        ("ce-dataschema", "/relative", "dataschema"),
        ("ce-datacontenttype", "text/plain", "ce-datacontenttype"),
        ("ce-data", "x", "ce-data"),
        ("ce-data_base64", "eA==", "ce-data_base64"),
        ("ce-under_score", "x", "under_score"),
        ("ce-da-sh", "x", "da-sh"),
        ("ce-", "x", "extension"),
        (long, "x", &long[3..]),
        ("content-type", "text", "datacontenttype"),
        ("content-type", "", "datacontenttype"),
        ("content-type", "text/plain\tx", "datacontenttype"),
    ];
    for (name, value, attribute) in refused {
        let found = read(&[(name, value)], "").expect_err(&format!("{name}: {value} is accepted")).0;
        assert_eq!(found, attribute, "{name}: {value}");
    }
    for (name, value) in [("ce-specversion", "0.3"), ("ce-source", "a b"), ("ce-source", "/a%20b")] {
        let mut lines = REQUIRED.to_vec();
        lines.retain(|(known, _)| *known != name);
        lines.push((name, value));
        assert_eq!(read_lines(&lines, "").unwrap_err().0, name[3..], "{value}");
    }
    let latin = binary::read(&headers(&[("content-type", b"a/\xe4")]), Bytes::new());
    assert!(latin.unwrap_err().to_string().contains("specversion"), "the version comes first");
}

#[test]
fn an_empty_body_is_none_unless_it_has_a_type() {
    let typed = read(&[("content-type", "a/b")], "").unwrap();
    assert_eq!(typed, typed.clone().with_body(""));
    let bare = read(&[], "").unwrap();
    assert_ne!(bare, bare.clone().with_body(""));
}

#[test]
fn an_event_that_is_none_is_not_written() {
    let error = binary::headers(&Event::new("a").with_time("now")).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidEvent { attribute, .. } if attribute == "time"));
}

#[test]
fn headers_are_limited_in_number() {
    let extended = |more: usize| {
        let names = (0..more).map(|n| format!("n{n}"));
        names.fold(Event::new("a"), |event, name| event.with_extension(name, 1))
    };
    let room = MAX_HEADERS - 4;
    assert_eq!(binary::headers(&extended(room)).unwrap().len(), MAX_HEADERS);
    let error = binary::headers(&extended(room + 1)).unwrap_err().to_string();
    assert!(
        error.ends_with("it is one attribute more than the 128 that HTTP can carry; move some to the body")
    );
    assert!(binary::headers(&extended(room).with_content_type("a/b")).is_err());
    assert!(binary::headers(&extended(40_000)).is_err(), "more than a map of headers can hold");
}

#[test]
fn headers_are_limited_in_bytes_as_they_are_written() {
    let event = |len: usize| Event::new("a").with_id("1").with_subject("ä".repeat(len));
    let bytes =
        |headers: &HeaderMap| -> usize { headers.iter().map(|(n, v)| n.as_str().len() + v.len()).sum() };
    let small = bytes(&binary::headers(&event(1)).unwrap());
    let most = (MAX_HEADER_BYTES - small) / 6 + 1;
    assert!(bytes(&binary::headers(&event(most)).unwrap()) > MAX_HEADER_BYTES - 6);
    let error = binary::headers(&event(most + 1)).unwrap_err().to_string();
    assert!(error.contains("bytes of headers, the limit is 65536"), "{error}");
}

#[test]
fn a_message_says_that_it_is_an_event_by_the_version() {
    assert!(binary::is_event(&headers(&REQUIRED)));
    assert!(!binary::is_event(&headers(&[("ce-id", "1")])));
}
