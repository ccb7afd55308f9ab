//! Whatever is written and read again is what it was.

use bytes::Bytes;
use http::HeaderMap;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::proptest;

use crate::event::http::{binary, percent, response};
use crate::event::{Event, Extension, Response};

/// Text that an attribute may have: no controls, no noncharacters.
fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        3 => any::<char>().prop_filter("a character that attributes may have", |c| {
            let code = u32::from(*c);
            !c.is_control() && !(0xfdd0..=0xfdef).contains(&code) && code & 0xfffe != 0xfffe
        }),
        2 => proptest::sample::select(vec![' ', '"', '\\', '%', '2', '0', 'a', ',', ';', '=', ':', '€']),
    ];
    vec(character, 0..12).prop_map(|characters| characters.into_iter().collect())
}

fn some_text() -> impl Strategy<Value = String> {
    text().prop_filter("an attribute that is not empty", |text| !text.is_empty())
}

fn content_type() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec!["text/plain; charset=\"a b\"", "application/json", "a/b;c=\"%20\\\"\""])
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

/// Events whose extensions are text, which is what comes back of any.
fn event() -> impl Strategy<Value = Event> {
    let named = (some_text(), some_text(), proptest::sample::select(vec!["/", "//a/b%20c?d#e", "urn:x:%25"]));
    let more = (
        option::of(some_text()),
        option::of(Just("2018-04-05T17:31:00.5+02:00")),
        option::of(content_type()),
    );
    let extensions = btree_map(
        "[a-z0-9]{1,20}".prop_map(|name| format!("x{name}")[..name.len()].to_owned()),
        text(),
        0..6,
    );
    (named, more, extensions, body()).prop_map(
        |((id, event_type, source), (subject, time, content_type), more, body)| {
            let mut event = Event::new(event_type).with_id(id).with_source(source);
            event = subject.map_or(event.clone(), |subject| event.with_subject(subject));
            event = time.map_or(event.clone(), |time| event.with_time(time));
            event = if body.is_empty() && content_type.is_none() { event } else { event.with_body(body) };
            event = content_type.map_or(event.clone(), |value| event.with_content_type(value));
            more.into_iter().fold(event, |event, (name, value)| event.with_extension(name, value))
        },
    )
}

fn answer() -> impl Strategy<Value = Response> {
    let header = "[a-z][a-z0-9_-]{0,20}".prop_filter("a header that functions set", |name| {
        !name.starts_with("ce-") && name != "content-type" && name != "te"
    });
    let value = text().prop_map(|text| text.trim().to_owned());
    let headers = btree_map(header, value, 0..6);
    let events = btree_map("[a-z]{1,20}", text(), 0..3);
    let cookies = vec(text(), 0..4);
    (200u16..=599, option::of(content_type()), (headers, events, cookies), body()).prop_map(
        |(status, content_type, (headers, events, cookies), body)| {
            let body = if [204, 205, 304].contains(&status) { Vec::new() } else { body };
            let mut answer = Response::from_bytes(body).with_attribute("http.status", status.to_string());
            answer = content_type.map_or(answer.clone(), |value| answer.with_content_type(value));
            for (name, value) in headers {
                answer = answer.with_attribute(format!("http.header.{name}"), value);
            }
            for (name, value) in events {
                answer = answer.with_attribute(format!("ce-{name}"), value);
            }
            for (at, value) in cookies.into_iter().enumerate() {
                let number = if at == 0 { String::new() } else { format!(".{}", at + 1) };
                answer = answer.with_attribute(format!("http.header.set-cookie{number}"), value);
            }
            answer
        },
    )
}

fn sorted(answer: &Response) -> Vec<(&str, &str)> {
    let mut attributes: Vec<_> = answer.attributes().collect();
    attributes.sort_unstable();
    attributes
}

fn is_printable(headers: &HeaderMap) -> bool {
    headers.values().all(|value| value.as_bytes().iter().all(|byte| (b' '..0x7f).contains(byte)))
}

proptest! {
    #[test]
    fn any_text_comes_back_from_a_header(text in ".{0,40}") {
        let encoded = percent::encode(&text);
        assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"'), "{encoded}");
        assert_eq!(percent::decode(encoded.as_bytes()), Ok(text));
    }

    #[test]
    fn any_event_comes_back_from_http(event in event()) {
        event.check().unwrap();
        let (parts, body) = binary::request(&event).unwrap().into_parts();
        assert!(is_printable(&parts.headers), "{:?}", parts.headers);
        assert_eq!(binary::read(&parts.headers, body).unwrap(), event);
    }

    #[test]
    fn typed_extensions_come_back_as_text(number in any::<i32>(), flag in any::<bool>()) {
        let event = Event::new("a").with_extension("number", number).with_extension("flag", flag);
        let read = binary::read(&binary::headers(&event).unwrap(), Bytes::new()).unwrap();
        assert_eq!(read.extension("number"), Some(&Extension::from(number.to_string())));
        assert_eq!(read.extension("flag"), Some(&Extension::from(flag.to_string())));
    }

    #[test]
    fn any_answer_comes_back_from_http(answer in answer()) {
        answer.check_attributes().unwrap();
        let (parts, body) = response::write(&answer).unwrap().into_parts();
        let read = response::read(&parts, body).unwrap();
        assert_eq!((read.content_type(), read.bytes()), (answer.content_type(), answer.bytes()));
        assert_eq!(sorted(&read), sorted(&answer));
    }

    #[test]
    fn no_header_makes_reading_panic(value in vec(any::<u8>(), 0..20), name in "(ce-)?[a-z_-]{0,6}[a-z]") {
        let Ok(value) = http::HeaderValue::from_bytes(&value) else { return Ok(()) };
        let mut headers = super::headers(&[("ce-specversion", "1.0"), ("ce-type", "a"), ("ce-source", "/")]);
        headers.append(http::HeaderName::try_from(name).unwrap(), value);
        if let Ok(event) = binary::read(&headers, Bytes::new()) {
            event.check().unwrap();
            let again = binary::read(&binary::headers(&event).unwrap(), Bytes::new()).unwrap();
            assert_eq!(again, event);
        }
    }
}
