//! Whether a field is there.

use crate::filter::tests::{Case, assert_cases, assert_values};

pub(super) const VALUES: &[Case] = &[
    (r#"[{"exists": true}]"#, r#""a""#, true),
    (r#"[{"exists": true}]"#, r#""""#, true),
    (r#"[{"exists": true}]"#, "null", true),
    (r#"[{"exists": true}]"#, "0", true),
    (r#"[{"exists": true}]"#, "false", true),
    (r#"[{"exists": true}]"#, "[1]", true),
    (r#"[{"exists": true}]"#, "[[1]]", true),
    // Only what holds no other value is there.
    (r#"[{"exists": true}]"#, "{}", false),
    (r#"[{"exists": true}]"#, r#"{"y": 1}"#, false),
    (r#"[{"exists": true}]"#, "[]", false),
    (r#"[{"exists": true}]"#, r#"[{"y": 1}]"#, false),
    (r#"[{"exists": false}]"#, "1", false),
    (r#"[{"exists": false}]"#, "null", false),
    (r#"[{"exists": false}]"#, "[[null]]", false),
    (r#"[{"exists": false}]"#, r#"{"c1": 100}"#, true),
    (r#"[{"exists": false}]"#, "[]", true),
    (r#"[{"exists": false}]"#, r#"[{"y": 1}]"#, true),
    (r#"[{"exists": false}, "a"]"#, r#""a""#, true),
    (r#"[{"exists": false}, "a"]"#, r#""b""#, false),
    (r#"[{"exists": false}, {"exists": true}]"#, r#""b""#, true),
];

pub(super) const DOCUMENTS: &[Case] = &[
    (r#"{"detail": {"c-count": [{"exists": true}]}}"#, r#"{"detail": {"c-count": 5}}"#, true),
    (r#"{"detail": {"c-count": [{"exists": true}]}}"#, r#"{"detail": {"d-count": 5}}"#, false),
    (r#"{"detail": {"c-count": [{"exists": false}]}}"#, r#"{"detail": {"c-count": 5}}"#, false),
    (r#"{"detail": {"c-count": [{"exists": false}]}}"#, r#"{"detail": {"d-count": 5}}"#, true),
    (r#"{"detail": {"c-count": [{"exists": false}]}}"#, r#"{"detail": {}}"#, true),
    (r#"{"detail": {"c-count": [{"exists": false}]}}"#, "{}", true),
    (r#"{"detail": {"c-count": [{"exists": false}]}}"#, r#"{"detail": null}"#, true),
    (r#"{"detail": {"c-count": [{"exists": false}]}}"#, r#"{"detail": [1, "a"]}"#, true),
    (r#"{"a": [{"exists": false}, "x"]}"#, r#"{"b": 1}"#, true),
    (r#"{"a": [{"exists": false}, "x"], "b": [1]}"#, r#"{"b": 1, "a": "x"}"#, true),
    (r#"{"a": [{"exists": false}], "b": [1]}"#, r#"{"b": 2}"#, false),
    (r#"{"a": [{"exists": false}], "b": [{"exists": false}]}"#, r#"{"c": 1}"#, true),
    (r#"{"a": [{"exists": false}], "b": [{"exists": false}]}"#, r#"{"b": 1}"#, false),
    // Within arrays: in all elements, or in the one that the other demands choose.
    (r#"{"list": {"b": [{"exists": false}]}}"#, r#"{"list": [{"a": 1}, {"c": 1}]}"#, true),
    (r#"{"list": {"b": [{"exists": false}]}}"#, r#"{"list": [{"a": 1}, {"b": 1}]}"#, false),
    (r#"{"list": {"b": [{"exists": false}]}}"#, r#"{"list": []}"#, true),
    (r#"{"list": {"a": [1], "b": [{"exists": false}]}}"#, r#"{"list": [{"a": 1}, {"b": 1}]}"#, true),
    (r#"{"list": {"a": [1], "b": [{"exists": false}]}}"#, r#"{"list": [{"a": 1, "b": 1}, {"a": 2}]}"#, false),
    (r#"{"list": {"a": [1], "b": [{"exists": false}]}}"#, r#"{"list": [{"a": 1, "b": 1}, {"a": 1}]}"#, true),
];

#[test]
fn exists_asks_for_values_that_hold_no_other() {
    assert_values(VALUES);
}

#[test]
fn exists_asks_for_missing_fields_at_any_depth() {
    assert_cases(DOCUMENTS);
}

/// EventBridge's engine judges in the order of names, so `a` would have to be missing in all elements.
#[test]
fn absence_does_not_depend_on_how_fields_are_called() {
    let document = r#"{"list": [{"z": 1}, {"a": 1}]}"#;
    assert_cases(&[(r#"{"list": {"a": [{"exists": false}], "z": [1]}}"#, document, true)]);
}
