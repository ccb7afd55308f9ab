//! The handshake of web hooks: who is answered, and with what.

use std::num::NonZeroU32;

use fnhost::http::CloudEvents;
use http::request::Builder;

use super::{Answered, header, mirror, refused, serve_as};

fn ask(origin: &str) -> Builder {
    http::Request::options("/").header("WebHook-Request-Origin", origin)
}

fn asked(events: &CloudEvents, request: Builder) -> Answered {
    let (_runtime, mirror) = mirror();
    serve_as(events, &mirror, request, "")
}

/// Asserts that nothing was granted.
#[track_caller]
fn denied(answered: &Answered, status: u16, error: &str) {
    refused(answered, status, error, &[]);
    assert_eq!(
        (header(answered, "webhook-allowed-origin"), header(answered, "webhook-allowed-rate")),
        (None, None)
    );
}

#[test]
fn a_sender_that_is_allowed_is_named_in_the_answer() {
    let events = CloudEvents::new().allow_sender("a.example").allow_sender("b.example");
    for origin in ["a.example", "b.example", "B.Example"] {
        let answered = asked(&events, ask(origin).header("WebHook-Request-Rate", "120"));
        assert_eq!(
            (answered.status().as_u16(), header(&answered, "webhook-allowed-origin")),
            (200, Some(origin))
        );
        assert_eq!(
            (header(&answered, "webhook-allowed-rate"), header(&answered, "allow")),
            (Some("*"), Some("POST, PUT"))
        );
    }
}

#[test]
fn a_rate_is_told_where_there_is_one() {
    let events = CloudEvents::new().allow_sender("*").allowed_rate(NonZeroU32::new(100).unwrap());
    let answered = asked(&events, ask("anybody.example"));
    assert_eq!(header(&answered, "webhook-allowed-origin"), Some("*"));
    assert_eq!(header(&answered, "webhook-allowed-rate"), Some("100"));
}

#[test]
fn nobody_else_is_granted_anything() {
    let one = CloudEvents::new().allow_sender("a.example");
    for origin in ["b.example", "xa.example", "a.example.b", "a.example, b.example", "*", "", "null"] {
        denied(&asked(&one, ask(origin)), 403, "sender-not-allowed");
    }
    denied(&asked(&CloudEvents::new(), ask("a.example")), 405, "method-not-allowed");
    denied(&asked(&one, http::Request::options("/")), 405, "method-not-allowed");
    let two = ask("a.example").header("WebHook-Request-Origin", "b.example");
    denied(&asked(&one, two), 405, "method-not-allowed");
}
