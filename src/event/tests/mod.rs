//! Events: what is kept, what is refused.

mod response;
mod validators;

use crate::error::ErrorKind;
use crate::event::{Event, Extension, Response};

#[track_caller]
fn refusal(event: &Event) -> (String, String) {
    let error = event.check().expect_err("the event is accepted");
    match error.kind() {
        ErrorKind::InvalidEvent { attribute, reason } => (attribute.clone(), reason.clone()),
        other => panic!("another error: {other:?}"),
    }
}

#[test]
fn an_event_keeps_what_it_was_given() {
    let event = Event::new("order.placed")
        .with_id("7")
        .with_source("https://shop.example/berlin")
        .with_subject("order-7")
        .with_time("2018-04-05T17:31:00Z")
        .with_content_type("text/csv")
        .with_data_schema("https://shop.example/order.csv")
        .with_extension("priority", 3)
        .with_extension("gift", true)
        .with_extension("clerk", "Ada")
        .with_body("a,b");
    event.check().unwrap();
    assert_eq!((event.id(), event.source()), ("7", "https://shop.example/berlin"));
    assert_eq!((event.event_type(), event.subject()), ("order.placed", Some("order-7")));
    assert_eq!((event.time(), event.content_type()), (Some("2018-04-05T17:31:00Z"), Some("text/csv")));
    assert_eq!(event.data_schema(), Some("https://shop.example/order.csv"));
    assert_eq!(event.extension("priority"), Some(&Extension::Integer(3)));
    assert_eq!(event.extension("price"), None);
    let extensions: Vec<_> = event.extensions().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(extensions, ["clerk=Ada", "gift=true", "priority=3"]);
    assert_eq!(event.body_text().unwrap(), "a,b");
}

#[test]
fn a_new_event_has_an_id_of_its_own_and_the_default_source() {
    let (one, other) = (Event::new("tick"), Event::new("tick"));
    assert_ne!(one.id(), other.id());
    assert_eq!(one.source(), "/fnhost");
    assert!(one.body().is_empty());
    one.check().unwrap();
}

#[test]
fn setting_a_clone_leaves_the_first_event_alone() {
    let first = Event::new("tick").with_subject("a").with_extension("n", 1);
    let second = first.clone().with_subject("b").with_extension("n", 2);
    assert_eq!((first.subject(), first.extension("n")), (Some("a"), Some(&Extension::Integer(1))));
    assert_eq!((second.subject(), second.extension("n")), (Some("b"), Some(&Extension::Integer(2))));
    assert_ne!(first, second);
}

#[test]
fn an_absent_body_differs_from_an_empty_one() {
    let absent = Event::new("tick");
    let empty = absent.clone().with_body("");
    assert_eq!(absent.body(), empty.body());
    assert_ne!(absent, empty);
}

#[test]
fn the_first_refused_attribute_is_the_one_reported() {
    let event = Event::new("tick").with_time("now").with_subject("").with_time("2018-04-05T17:31:00Z");
    let (attribute, reason) = refusal(&event);
    assert_eq!(attribute, "time");
    assert_eq!(
        reason,
        "\"now\" is not an RFC 3339 time: its form is another; write it like 2018-04-05T17:31:00Z"
    );
}

#[test]
fn each_setter_names_its_attribute() {
    let event = || Event::new("tick");
    let refused = [
        (Event::new(""), "type"),
        (event().with_id(""), "id"),
        (event().with_source(""), "source"),
        (event().with_subject(""), "subject"),
        (event().with_time(""), "time"),
        (event().with_content_type(""), "datacontenttype"),
        (event().with_data_schema(""), "dataschema"),
        (event().with_extension("", 1), "extension"),
        (event().with_extension("Shout", 1), "Shout"),
    ];
    for (event, expected) in refused {
        assert_eq!(refusal(&event).0, expected);
    }
}

#[test]
fn errors_show_values_cut_and_escaped() {
    let event = Event::new("tick").with_subject(format!("\n\u{202e}{}", "ä".repeat(100)));
    let (_, reason) = refusal(&event);
    let shown = format!("\"\\u{{a}}\\u{{202e}}{}...\" has the character U+000A", "ä".repeat(62));
    assert!(reason.starts_with(&shown), "{reason}");
}

#[test]
fn strings_have_no_controls_and_no_noncharacters() {
    for value in ["a", "ä 日本 \u{1f980}", "\u{a0}", "\u{fdcf}", "\u{fdf0}", "\u{fffd}", "\u{10000}"] {
        Event::new(value).with_id(value).with_subject(value).with_extension("a", value).check().unwrap();
    }
    for c in [
        '\0',
        '\t',
        '\u{1f}',
        '\u{7f}',
        '\u{9f}',
        '\u{fdd0}',
        '\u{fdef}',
        '\u{fffe}',
        '\u{ffff}',
        '\u{1fffe}',
        '\u{10ffff}',
    ] {
        let value = format!("a{c}");
        assert_eq!(refusal(&Event::new(value.clone())).0, "type");
        assert_eq!(refusal(&Event::new("a").with_id(value.clone())).0, "id");
        assert_eq!(refusal(&Event::new("a").with_subject(value.clone())).0, "subject");
        assert_eq!(refusal(&Event::new("a").with_extension("ext", value)).0, "ext");
    }
}

#[test]
fn extension_names_are_short_lowercase_and_free() {
    for name in ["a", "0", "traceparent", "abcdefghij0123456789"] {
        Event::new("tick").with_extension(name, "").check().unwrap();
    }
    for name in [
        "",
        "A",
        "a-b",
        "a_b",
        "a b",
        "ä",
        "abcdefghij0123456789x",
        "id",
        "source",
        "type",
        "specversion",
        "subject",
        "time",
        "datacontenttype",
        "dataschema",
        "data",
        "data_base64",
    ] {
        assert!(Event::new("tick").with_extension(name, 1).check().is_err(), "{name:?} is accepted");
    }
}

#[test]
fn a_body_is_read_as_what_it_is() {
    let event = Event::json("sum", &[1, 2]).unwrap();
    assert_eq!(event.body_json::<Vec<u8>>().unwrap(), [1, 2]);
    let error = event.body_json::<String>().unwrap_err().to_string();
    assert!(
        error.starts_with("invalid body: 5 bytes are not the JSON that was asked for: invalid type"),
        "{error}"
    );
    let error = Event::bytes("sum", vec![b'a', 0xff]).body_text().unwrap_err().to_string();
    assert_eq!(error, "invalid body: 2 bytes are not UTF-8 text, from byte 1 on; read the bytes instead");
}

#[test]
fn a_value_that_json_cannot_hold_is_refused() {
    let value = std::collections::BTreeMap::from([((1, 2), 3)]);
    assert!(matches!(Event::json("a", &value).unwrap_err().kind(), ErrorKind::InvalidBody { .. }));
    assert!(matches!(Response::from_json(&value).unwrap_err().kind(), ErrorKind::InvalidBody { .. }));
}

#[test]
fn debugging_does_not_print_bodies() {
    let event = format!("{:?}", Event::bytes("a", "secret"));
    assert!(!event.contains("secret") && event.contains("body_bytes: Some(6)"), "{event}");
    let response = format!("{:?}", Response::from_text("secret"));
    assert!(!response.contains("secret") && response.contains("body_bytes: 6"), "{response}");
}
