//! Answers as responses and back: what is set, and what no function may set.

use bytes::Bytes;
use http::header::SET_COOKIE;

use super::headers;
use crate::error::ErrorKind;
use crate::event::Response;
use crate::event::http::response;

#[track_caller]
fn invalid<T>(result: Result<T, crate::error::Error>) -> String {
    match result.map(|_| ()).expect_err("the answer is accepted").into_kind() {
        ErrorKind::InvalidAnswer { reason } => reason,
        other => panic!("another error: {other}"),
    }
}

#[track_caller]
fn read<V: AsRef<[u8]>>(status: u16, lines: &[(&str, V)], body: &'static str) -> Result<Response, String> {
    let (mut parts, ()) = http::Response::builder().status(status).body(()).unwrap().into_parts();
    parts.headers = headers(lines);
    let read = response::read(&parts, Bytes::from_static(body.as_bytes()));
    match read {
        Ok(answer) => Ok(answer),
        refused => Err(invalid(refused)),
    }
}

#[test]
fn attributes_set_status_and_headers() {
    let answer = Response::from_text("hi")
        .with_attribute("http.status", "404")
        .with_attribute("http.header.cache-control", "no-store")
        .with_attribute("http.header.x-text", "ä")
        .with_attribute("ce-subject", "a b")
        .with_attribute("color", "blue");
    let written = response::write(&answer).unwrap();
    assert_eq!((written.status().as_u16(), written.body().as_ref()), (404, b"hi".as_slice()));
    let lines: Vec<_> =
        written.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let expected: [(&str, &[u8]); 4] = [
        ("content-type", b"text/plain; charset=utf-8"),
        ("cache-control", b"no-store"),
        ("x-text", "ä".as_bytes()),
        ("ce-subject", b"a%20b"),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn an_answer_that_says_nothing_is_200() {
    let written = response::write(&Response::new()).unwrap();
    assert_eq!((written.status().as_u16(), written.headers().len()), (200, 0));
}

#[test]
fn a_status_is_final_and_has_three_digits() {
    let write = |status: &str| response::write(&Response::new().with_attribute("http.status", status));
    for status in ["200", "204", "299", "304", "418", "599"] {
        assert_eq!(write(status).unwrap().status().as_str(), status);
    }
    for status in
        ["", "0", "99", "100", "101", "103", "199", "600", "999", "1000", "+20", " 200", "200 OK", "２００"]
    {
        let reason = invalid(write(status));
        assert!(reason.contains("must be 200 to 599"), "{status:?}: {reason}");
    }
}

#[test]
fn a_body_is_refused_where_the_status_has_none() {
    for status in ["204", "205", "304"] {
        let answer = Response::from_bytes("hi").with_attribute("http.status", status);
        let reason = invalid(response::write(&answer));
        assert_eq!(reason, format!("a body of 2 bytes with status {status}, which has none; leave it out"));
    }
}

#[test]
fn no_function_frames_its_message() {
    let framing = [
        "connection",
        "content-length",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        // Names are read in any case, though the runtime lets only lower case pass.
        "Transfer-Encoding",
    ];
    for name in framing {
        let answer = Response::new().with_attribute(format!("http.header.{name}"), "1");
        let reason = invalid(response::write(&answer));
        assert!(reason.contains("set with the body or the connection"), "{name}: {reason}");
    }
}

#[test]
fn no_function_forges_a_header() {
    let refused = [
        ("http.header.x", "a\r\nset-cookie: b"),
        ("http.header.x", "a\nb"),
        ("http.header.x", "a\rb"),
        ("http.header.x", "a\0b"),
        ("http.header.set-cookie", "a\r\n"),
        ("http.header.content-type", "a/b\r\n\r\n<script>"),
        ("http.header.x: y\r\nz", "1"),
        ("http.header.x y", "1"),
        ("http.header.", "1"),
        ("http.header.ä", "1"),
        ("ce-x y", "1"),
        ("http.headers.x", "1"),
        ("http.status2", "1"),
        ("http.", "1"),
    ];
    for (name, value) in refused {
        invalid(response::write(&Response::new().with_attribute(name, value)));
    }
    invalid(response::write(&Response::new().with_content_type("a/b\r\nx: y")));
    let answer = Response::new().with_attribute("ce-subject", "a\r\nx: y");
    assert_eq!(response::write(&answer).unwrap().headers()["ce-subject"], "a%0D%0Ax:%20y");
}

#[test]
fn a_header_is_set_once() {
    let typed = Response::from_text("a").with_attribute("http.header.content-type", "text/html");
    assert!(invalid(response::write(&typed)).contains("is set already"));
    let alone = Response::from_bytes("a").with_attribute("http.header.content-type", "text/html");
    assert_eq!(response::write(&alone).unwrap().headers()["content-type"], "text/html");
    let event = Response::new().with_attribute("ce-id", "1").with_attribute("http.header.ce-id", "2");
    assert!(invalid(response::write(&event)).contains("is set already"));
}

#[test]
fn each_cookie_has_a_header_of_its_own() {
    let answer = Response::new()
        .with_attribute("http.header.set-cookie", "a=1; Path=/")
        .with_attribute("http.header.set-cookie.2", "b=2")
        .with_attribute("http.header.set-cookie.7", "c=3");
    let written = response::write(&answer).unwrap();
    let cookies: Vec<_> = written.headers().get_all(SET_COOKIE).iter().collect();
    assert_eq!(cookies, ["a=1; Path=/", "b=2", "c=3"]);
    let other = Response::new().with_attribute("http.header.set-cookie.x", "1");
    assert_eq!(response::write(&other).unwrap().headers()["set-cookie.x"], "1");
}

#[test]
fn a_response_is_read_into_attributes() {
    let lines = [
        ("content-type", "text/html"),
        ("Vary", "accept"),
        ("vary", "origin"),
        ("set-cookie", "a=1, b"),
        ("ce-subject", "a%20b"),
        ("Set-Cookie", "b=2"),
        ("content-length", "2"),
        ("connection", "close"),
    ];
    let answer = read(201, &lines, "hi").unwrap();
    assert_eq!((answer.content_type(), answer.text().unwrap()), (Some("text/html"), "hi"));
    let expected = [
        ("http.status", "201"),
        ("http.header.vary", "accept, origin"),
        ("http.header.set-cookie", "a=1, b"),
        ("http.header.set-cookie.2", "b=2"),
        ("ce-subject", "a b"),
    ];
    assert_eq!(answer.attributes().collect::<Vec<_>>(), expected);
}

#[test]
fn a_response_that_no_answer_can_hold_is_refused() {
    for status in [100, 101, 103, 199, 600, 999] {
        assert!(read::<&str>(status, &[], "").unwrap_err().contains("must be 200 to 599"), "{status}");
    }
    let refused: [(&str, &[u8]); 8] = [
        ("x", b"\xe4"),
        ("set-cookie", b"\xe4"),
        ("content-type", b"\xe4"),
        ("x", b"a\tb"),
        ("x", "\u{85}".as_bytes()),
        ("x!y", b"1"),
        ("ce-subject", b"%"),
        ("ce-subject", b"%0D%0A"),
    ];
    for line in refused {
        read(200, &[line], "").expect_err(&format!("{line:?}"));
    }
    let long = format!("x-{}", "y".repeat(51));
    read(200, &[(&long[1..], "1")], "").unwrap();
    read(200, &[(&long, "1")], "").unwrap_err();
}

#[test]
fn a_response_is_limited_as_any_answer() {
    let names: Vec<String> = (0..64).map(|n| format!("x{n}")).collect();
    let lines: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
    read(200, &lines[1..], "").unwrap();
    let reason = read(200, &lines, "").unwrap_err();
    assert_eq!(reason, "65 attributes, the limit is 64; move some to the body");
    let reason = read(200, &[("x", "v".repeat(16 << 10))], "").unwrap_err();
    assert!(reason.contains("bytes of attributes, the limit is 16384"), "{reason}");
}
