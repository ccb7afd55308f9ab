//! Events through JSON and back.

use serde_json::{Value, json};

use crate::event::json::data;
use crate::event::{Event, Extension};

fn write(event: &Event) -> Value {
    serde_json::to_value(event).unwrap()
}

#[track_caller]
fn through_json(event: &Event) -> Event {
    let text = serde_json::to_string(event).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Reads an event with these members beside, or instead of, the required ones.
fn read(more: &Value) -> Result<Event, String> {
    let mut members = json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "t"});
    for (name, value) in more.as_object().unwrap() {
        members[name] = value.clone();
    }
    serde_json::from_str(&members.to_string()).map_err(|error| error.to_string())
}

#[track_caller]
fn assert_refused(more: &Value, message: &str) {
    let error = read(more).expect_err("the event is accepted");
    assert!(error.contains(message), "{error}");
}

fn event(body: &[u8], content_type: Option<&str>) -> Event {
    let event = Event::bytes("t", body.to_vec());
    match content_type {
        Some(content_type) => event.with_content_type(content_type),
        None => event,
    }
}

#[test]
fn all_attributes_are_written() {
    let event = Event::new("t")
        .with_id("1")
        .with_source("/s")
        .with_subject("x")
        .with_time("2018-04-05T17:31:00Z")
        .with_content_type("application/json")
        .with_data_schema("a:b")
        .with_extension("text", "y")
        .with_extension("flag", false)
        .with_extension("number", -7)
        .with_body(r#"{"a": [1, null]}"#);
    let expected = json!({
        "specversion": "1.0", "id": "1", "source": "/s", "type": "t", "subject": "x", "time": "2018-04-05T17:31:00Z",
        "datacontenttype": "application/json", "dataschema": "a:b", "text": "y", "flag": false, "number": -7,
        "data": {"a": [1, null]},
    });
    assert_eq!(write(&event), expected);
    assert_eq!(through_json(&event), event.with_body(r#"{"a":[1,null]}"#));
}

#[test]
fn a_body_is_written_in_the_most_readable_form() {
    let table: [(&[u8], Option<&str>, &str, Value); 19] = [
        (b"{}", None, "data", json!({})),
        (b"null", None, "data", Value::Null),
        (b"\"a\"", Some("application/json; charset=utf-8"), "data", json!("a")),
        (b"1.5", Some("Application/Problem+JSON"), "data", json!(1.5)),
        (b"18446744073709551615", None, "data", json!(u64::MAX)),
        (b"[\"{:1e999\\\"\"]", None, "data", json!(["{:1e999\""])),
        (b"18446744073709551616", None, "data_base64", json!("MTg0NDY3NDQwNzM3MDk1NTE2MTY=")),
        (b"1e999", None, "data_base64", json!("MWU5OTk=")),
        (b"{\"a\":1,\"a\":2}", None, "data_base64", json!("eyJhIjoxLCJhIjoyfQ==")),
        (b"{a}", Some("application/json"), "data_base64", json!("e2F9")),
        (b"{a}", Some("text/json"), "data_base64", json!("e2F9")),
        (b"", None, "data_base64", json!("")),
        (b"\xff", None, "data_base64", json!("/w==")),
        (b"1", Some("text/plain"), "data", json!("1")),
        (b"", Some("text/plain"), "data", json!("")),
        (b"a\0b", Some("TEXT/csv;header=absent"), "data", json!("a\0b")),
        (b"\xff", Some("text/plain"), "data_base64", json!("/w==")),
        (b"1", Some("image/png"), "data_base64", json!("MQ==")),
        (b"<a/>", Some("application/xml"), "data_base64", json!("PGEvPg==")),
    ];
    for (body, content_type, member, expected) in table {
        let event = event(body, content_type);
        let written = write(&event);
        assert_eq!(written.get(member), Some(&expected), "{written}");
        let other = if member == "data" { "data_base64" } else { "data" };
        assert_eq!(written.get(other), None, "{written}");
        assert_eq!(through_json(&event), event);
    }
}

#[test]
fn an_absent_body_is_not_written_and_stays_absent() {
    for event in [Event::new("t"), Event::new("t").with_content_type("text/plain")] {
        let written = write(&event);
        assert!(written.get("data").is_none() && written.get("data_base64").is_none(), "{written}");
        assert_eq!(through_json(&event), event);
    }
}

#[test]
fn a_deep_body_is_still_readable() {
    for depth in [64, 65, 126, 127, 128] {
        let body = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let event = event(body.as_bytes(), None);
        assert_eq!(write(&event).get("data").is_some(), depth <= 64);
        assert_eq!(through_json(&event), event);
    }
}

#[test]
fn fractions_come_back_as_the_same_double() {
    let mut random = Random(7);
    for _ in 0..2000 {
        let number = f64::from_bits(random.next());
        for text in [format!("{number:e}"), format!("{number:.25e}")] {
            let read = through_json(&event(text.as_bytes(), None));
            assert!(!number.is_finite() || read.body_text().unwrap().parse() == Ok(number), "{text}");
        }
    }
}

#[test]
fn data_is_read_by_content_type() {
    let body = |more: Value| read(&more).unwrap().body.map(|body| String::from_utf8(body.to_vec()).unwrap());
    assert_eq!(body(json!({})), None);
    assert_eq!(body(json!({"data": null})).as_deref(), Some("null"));
    assert_eq!(body(json!({"data": "a"})).as_deref(), Some("\"a\""));
    assert_eq!(body(json!({"data": "a", "datacontenttype": "a/b+json"})).as_deref(), Some("\"a\""));
    assert_eq!(body(json!({"data": "<a/>", "datacontenttype": "application/xml"})).as_deref(), Some("<a/>"));
    assert_eq!(body(json!({"data": [1], "datacontenttype": null})).as_deref(), Some("[1]"));
    assert_eq!(body(json!({"data_base64": "YQ=="})).as_deref(), Some("a"));
    assert_eq!(body(json!({"data_base64": null})), None);
    assert_refused(&json!({"data": 1, "data_base64": "YQ=="}), "data_base64: the event has data too");
    assert_refused(&json!({"data": null, "data_base64": "YQ=="}), "one body only");
    assert_refused(&json!({"data": 1, "datacontenttype": "a/b"}), "data: \"1\" is not a string");
    assert_refused(&json!({"data_base64": "YQ"}), "data_base64: \"YQ\" is not Base64");
    assert_refused(&json!({"data_base64": 1}), "data_base64: \"1\" is not a string");
}

#[test]
fn required_members_are_required() {
    for name in ["specversion", "id", "source", "type"] {
        assert_refused(&json!({name: null}), &format!("{name}: it is missing"));
        assert_refused(&json!({name: 1}), &format!("{name}: \"1\" is not a string"));
    }
    assert!(serde_json::from_str::<Event>("{}").is_err());
    let error = serde_json::from_str::<Event>("[]").unwrap_err().to_string();
    assert!(error.contains("expected an event"), "{error}");
}

#[test]
fn other_versions_are_refused() {
    for version in ["0.3", "1.1", "2.0", "1", ""] {
        let message = format!("specversion: \"{version}\" cannot be read; send events of version 1.0");
        assert_refused(&json!({"specversion": version}), &message);
    }
}

#[test]
fn unknown_members_are_extensions() {
    let event = read(&json!({"a": "x", "b": true, "c": -2147483648, "d": 2147483647, "e": null})).unwrap();
    let expected = [
        ("a", Extension::from("x")),
        ("b", Extension::from(true)),
        ("c", Extension::from(i32::MIN)),
        ("d", Extension::from(i32::MAX)),
    ];
    assert!(event.extensions().eq(expected.iter().map(|(name, value)| (*name, value))));
    for value in [json!(2_147_483_648_i64), json!(u64::MAX), json!(1.0), json!([]), json!({})] {
        assert_refused(&json!({"count": value}), "count: ");
    }
    assert_refused(&json!({"Count": 1}), "Count: an extension's name");
}

#[test]
fn refused_attributes_are_refused_in_json_too() {
    let faults = [
        ("id", ""),
        ("source", "a b"),
        ("type", "\n"),
        ("subject", ""),
        ("time", "now"),
        ("datacontenttype", "text"),
        ("dataschema", "/a"),
        ("ext", "\0"),
    ];
    for (name, value) in faults {
        assert_refused(&json!({name: value}), &format!("invalid event: {name}: "));
    }
    let error = serde_json::to_string(&Event::new("t").with_time("now")).unwrap_err().to_string();
    assert!(error.starts_with("invalid event: time: "), "{error}");
}

#[test]
fn members_that_stand_twice_are_refused() {
    for twice in [r#""id":"1","id":"1""#, r#""x":1,"x":null"#, r#""data":1,"data":1"#] {
        let text = format!(r#"{{"specversion":"1.0","source":"/s","type":"t",{twice}}}"#);
        let error = serde_json::from_str::<Event>(&text).unwrap_err().to_string();
        assert!(error.contains("the member stands there twice"), "{error}");
    }
}

#[test]
fn batches_are_lists_of_events() {
    let events = vec![Event::new("a"), Event::json("b", &[1]).unwrap()];
    let text = serde_json::to_string(&events).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Event>>(&text).unwrap(), events);
}

/// A small generator (SplitMix64), so that a failure comes back.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    fn text(&mut self) -> String {
        let len = 1 + self.below(8);
        (0..len).map(|_| *self.pick(&['a', '"', '\\', 'ä', ' ', '/', '\u{1f980}', '\u{2028}', '<'])).collect()
    }

    fn body(&mut self) -> Vec<u8> {
        let len = self.below(9);
        (0..len).map(|_| *self.pick(b"[]{}\":,0123456789.eE-+ntf\\ \xc3\xa4\0a")).collect()
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 5 } else { 7 }) {
            0 => Value::Null,
            1 => json!(self.next().is_multiple_of(2)),
            2 => json!(self.next()),
            3 => json!(self.next().cast_signed() >> self.below(64)),
            4 => json!(self.text()),
            5 => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
            _ => (0..self.below(4))
                .map(|_| (self.text(), self.value(depth - 1)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }

    fn event(&mut self) -> Event {
        let mut event = Event::new(self.text()).with_id(self.text());
        if self.below(2) == 0 {
            event = event.with_subject(self.text()).with_time("2018-04-05T17:31:00.5+02:00");
        }
        if self.below(2) == 0 {
            event = event.with_source("urn:x").with_data_schema("https://example.com/s");
        }
        for _ in 0..self.below(4) {
            let name = *self.pick(&["a", "b0", "trace", "abcdefghij0123456789"]);
            let number = i32::try_from(self.next().cast_signed() >> 32).unwrap();
            let values =
                [Extension::from(self.text()), Extension::from(number), Extension::from(number % 2 == 0)];
            event = event.with_extension(name, self.pick(&values).clone());
        }
        let types =
            ["application/json", "text/plain; charset=utf-8", "image/png", "a/b+json", "text/json", "a/xml"];
        if self.below(3) > 0 { event.with_content_type(*self.pick(&types)) } else { event }
    }
}

#[test]
fn any_event_with_a_json_body_comes_back_equal() {
    let mut random = Random(1);
    for _ in 0..3000 {
        let event = random.event();
        let body = random.value(4).to_string();
        let event = event.with_body(body);
        assert_eq!(through_json(&event), event);
    }
}

/// What two bodies have to agree in: JSON may be written otherwise, anything else may not.
fn meaning(event: &Event) -> Result<Value, &[u8]> {
    match serde_json::from_slice(event.body()) {
        Ok(value) if data::is_json(event.content_type()) => Ok(value),
        _ => Err(event.body()),
    }
}

#[test]
fn any_event_with_any_bytes_means_the_same_when_it_comes_back() {
    let mut random = Random(2);
    for _ in 0..20_000 {
        let event = random.event().with_body(random.body());
        let read = through_json(&event);
        assert_eq!(meaning(&read), meaning(&event));
        assert_eq!(read.with_body(""), event.with_body(""));
    }
}
