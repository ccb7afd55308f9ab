//! What hostile patterns and bodies cost.

use crate::event::Event;
use crate::filter::Filter;

const MIB: usize = 1024 * 1024;

/// Tells whether a body is wanted.
fn wants(pattern: &str, body: String) -> bool {
    Filter::parse(pattern).unwrap().matches(&Event::bytes("e", body))
}

/// One that goes back would need more steps than there is time.
#[test]
fn wildcards_never_go_back() {
    let stars = "*a".repeat(2_000);
    let pattern = format!(r#"{{"data": [{{"wildcard": "{stars}*b"}}]}}"#);
    assert!(!wants(&pattern, format!("\"{}\"", "a".repeat(MIB))));
    assert!(wants(&pattern, format!("\"{}b\"", "a".repeat(MIB))));
}

#[test]
fn a_body_that_is_nested_too_deep_is_no_json() {
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let pattern = r#"{"data": [1]}"#;
    assert!(wants(pattern, nested(127)));
    assert!(!wants(pattern, nested(128)));
    assert!(!wants(pattern, nested(MIB)));
    assert!(!wants(pattern, "[".repeat(MIB)));
    assert!(!wants(r#"{"data": {"a": [1]}}"#, format!(r#"{{"b": {}, "a": 1}}"#, nested(128))));
}

#[test]
fn all_combinations_look_at_a_large_body() {
    let ways: Vec<_> = (0..20).map(|n| format!(r#"{{"a": {{"x{n}": [{{"wildcard": "*b*c"}}]}}}}"#)).collect();
    let pattern = format!(r#"{{"data": {{"$or": [{}]}}}}"#, ways.join(","));
    let body = |last: &str| format!(r#"{{"a": [{}{{"x19": "{last}"}}]}}"#, r#"{"x0": "a"},"#.repeat(2_000));
    assert!(wants(&pattern, body("abc")));
    assert!(!wants(&pattern, body("ab")));
}
