//! Events as patterns see them.

use crate::event::Event;
use crate::filter::Filter;

fn order() -> Event {
    Event::bytes("order.placed", r#"{"total": 250.5, "lines": [{"sku": "tea", "count": 2}]}"#)
        .with_id("7")
        .with_source("/shop/berlin")
        .with_subject("order-7")
        .with_time("2018-04-05T17:31:00Z")
        .with_content_type("application/json")
        .with_data_schema("https://shop.example/order")
        .with_extension("priority", 3)
        .with_extension("gift", true)
        .with_extension("clerk", "Ada")
}

#[track_caller]
fn wants(pattern: &str, event: &Event) -> bool {
    Filter::parse(pattern).unwrap().matches(event)
}

#[test]
fn attributes_stand_at_the_top() {
    let attributes = [
        r#"{"specversion": ["1.0"]}"#,
        r#"{"id": ["7"]}"#,
        r#"{"source": [{"prefix": "/shop/"}]}"#,
        r#"{"type": [{"wildcard": "order.*"}]}"#,
        r#"{"subject": [{"suffix": "-7"}]}"#,
        r#"{"time": [{"prefix": "2018-04-05"}]}"#,
        r#"{"datacontenttype": ["application/json"]}"#,
        r#"{"dataschema": [{"exists": true}]}"#,
    ];
    for pattern in attributes {
        assert!(wants(pattern, &order()), "{pattern}");
    }
    assert!(!wants(r#"{"type": ["order.paid"]}"#, &order()));
    assert!(!wants(r#"{"id": [7]}"#, &order()));
    assert!(!wants(r#"{"source": {"x": [1]}}"#, &order()));
}

#[test]
fn attributes_that_are_not_set_are_missing() {
    let bare = Event::new("clock.struck");
    for name in ["subject", "time", "datacontenttype", "dataschema", "clerk", "data", "detail-type"] {
        assert!(wants(&format!(r#"{{"{name}": [{{"exists": false}}]}}"#), &bare), "{name}");
        assert!(!wants(&format!(r#"{{"{name}": [{{"anything-but": "x"}}]}}"#), &bare), "{name}");
    }
    for name in ["specversion", "id", "source", "type"] {
        assert!(!wants(&format!(r#"{{"{name}": [{{"exists": false}}]}}"#), &bare), "{name}");
    }
}

#[test]
fn extensions_keep_their_types() {
    assert!(wants(r#"{"priority": [{"numeric": [">", 2]}], "gift": [true], "clerk": ["Ada"]}"#, &order()));
    assert!(!wants(r#"{"priority": ["3"]}"#, &order()));
    assert!(!wants(r#"{"gift": ["true"]}"#, &order()));
}

#[test]
fn the_body_stands_under_data() {
    assert!(wants(
        r#"{"data": {"total": [{"numeric": [">=", 250.5]}], "lines": {"sku": ["tea"]}}}"#,
        &order()
    ));
    assert!(!wants(r#"{"total": [{"exists": true}]}"#, &order()));
    assert!(!wants(r#"{"type": ["order.paid"], "data": {"lines": {"sku": ["tea"]}}}"#, &order()));
    assert!(wants(r#"{"data": [null]}"#, &Event::bytes("e", "null")));
    assert!(wants(r#"{"data": ["x"]}"#, &Event::bytes("e", r#"["y", "x"]"#)));
}

#[test]
fn what_is_no_json_is_no_data() {
    let bodies: [&[u8]; 6] =
        [b"", b"{\"a\": 1", b"{\"a\": 1} x", b"a=1", b"\xff\xfe", b"{\"a\": 1, \"b\": \"\xff\"}"];
    for body in bodies {
        let event = Event::bytes("e", body.to_vec());
        assert!(wants(r#"{"data": {"a": [{"exists": false}]}}"#, &event), "{body:?}");
        assert!(!wants(r#"{"data": {"a": [{"exists": true}]}}"#, &event), "{body:?}");
        assert!(wants(r#"{"type": ["e"]}"#, &event), "{body:?}");
    }
}

#[test]
fn alternatives_reach_over_attributes_and_body() {
    let pattern = r#"{"$or": [{"clerk": ["Bob"]}, {"data": {"total": [250.5]}}]}"#;
    assert!(wants(pattern, &order()));
    assert!(wants(pattern, &Event::new("e").with_extension("clerk", "Bob")));
    assert!(!wants(pattern, &Event::new("e")));
}

#[test]
fn a_filter_keeps_its_pattern() {
    let pattern = "{\"type\":\n [\"e\"]}";
    let filter = Filter::parse(pattern).unwrap();
    assert_eq!(filter.clone().pattern(), pattern);
    assert_eq!(format!("{filter:?}"), "Filter(\"{\\\"type\\\":\\n [\\\"e\\\"]}\")");
}
