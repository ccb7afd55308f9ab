//! Answers: what is kept, what is refused of a guest.

use bytes::Bytes;

use crate::event::Response;
use crate::report::Report;

#[test]
fn a_response_keeps_what_it_was_given() {
    let response =
        Response::from_text("hi").with_attribute("a", "1").with_attribute("b", "2").with_attribute("a", "3");
    assert_eq!(response.content_type(), Some("text/plain; charset=utf-8"));
    assert_eq!(response.attributes().collect::<Vec<_>>(), [("a", "3"), ("b", "2")]);
    assert_eq!((response.attribute("b"), response.attribute("c")), (Some("2"), None));
    assert_eq!((response.text().unwrap(), response.bytes().len()), ("hi", 2));
    assert_eq!(Response::from_json(&7).unwrap().json::<u8>().unwrap(), 7);
    assert_eq!(Response::from_bytes("x").with_content_type("a/b").content_type(), Some("a/b"));
    assert_eq!(Response::new().content_type(), None);
    assert_eq!(Response::from_bytes("x").into_bytes(), "x");
}

#[test]
fn a_response_without_a_report_shows_an_empty_one() {
    let mut response = Response::new();
    assert!(std::ptr::eq(response.report(), Report::empty()));
    response.set_report(Box::new(Report::empty().clone()));
    assert!(!std::ptr::eq(response.report(), Report::empty()));
}

fn answer(content_type: Option<&str>, attributes: &[(&str, &str)]) -> Result<Response, String> {
    let attributes =
        attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Response::from_parts(content_type.map(str::to_owned), attributes, Bytes::new())
}

#[test]
fn a_guests_attributes_are_judged() {
    let long = "a".repeat(64);
    for (name, value) in [("a", ""), ("cache-control", "no-store"), ("x.y_z-0", "ä"), (&long, "1")] {
        assert_eq!(answer(None, &[(name, value)]).unwrap().attribute(name), Some(value));
    }
    let too_long = "a".repeat(65);
    for (name, value) in [
        ("", "1"),
        ("A", "1"),
        ("a b", "1"),
        ("ä", "1"),
        (&too_long, "1"),
        ("a", "\n"),
        ("a", "\u{85}"),
        ("a", "\t"),
    ] {
        assert!(answer(None, &[(name, value)]).is_err(), "{name:?}: {value:?} is accepted");
        assert!(Response::new().with_attribute(name, value).check_attributes().is_err());
    }
    assert_eq!(
        answer(None, &[("a", "1"), ("a", "1")]).unwrap_err(),
        "attribute \"a\" is given twice; give it once"
    );
}

#[test]
fn a_guests_content_type_is_judged() {
    assert_eq!(answer(Some("text/html"), &[]).unwrap().content_type(), Some("text/html"));
    assert!(answer(Some("text/html\r\nset-cookie: a"), &[]).is_err());
    assert!(answer(Some(&"a".repeat(1024)), &[]).is_ok());
    assert!(answer(Some(&"a".repeat(1025)), &[]).is_err());
}

#[test]
fn a_guests_attributes_are_limited_in_number_and_size() {
    let names: Vec<String> = (0..65).map(|n| format!("n{n}")).collect();
    let attributes: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
    assert!(answer(None, &attributes[..64]).is_ok());
    let error = answer(None, &attributes).unwrap_err();
    assert_eq!(error, "65 attributes, the limit is 64; move some to the body");
    let value = "v".repeat(16 * 1024 - 1);
    assert!(answer(None, &[("n", &value)]).is_ok());
    let error = answer(None, &[("nn", &value)]).unwrap_err();
    assert_eq!(error, "16385 bytes of attributes, the limit is 16384; move some to the body");
}
