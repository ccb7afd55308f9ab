//! Anything but values, and anything but what is like a text.

use crate::filter::tests::{Case, assert_values, wants};

pub(super) const VALUES: &[Case] = &[
    (r#"[{"anything-but": "initializing"}]"#, r#""running""#, true),
    (r#"[{"anything-but": "initializing"}]"#, r#""initializing""#, false),
    (r#"[{"anything-but": "initializing"}]"#, r#""Initializing""#, true),
    (r#"[{"anything-but": "initializing"}]"#, "5", true),
    (r#"[{"anything-but": "initializing"}]"#, "null", true),
    (r#"[{"anything-but": "initializing"}]"#, "false", true),
    (r#"[{"anything-but": ""}]"#, r#""""#, false),
    (r#"[{"anything-but": ""}]"#, r#""a""#, true),
    (r#"[{"anything-but": ["stopped", "overloaded"]}]"#, r#""running""#, true),
    (r#"[{"anything-but": ["stopped", "overloaded"]}]"#, r#""overloaded""#, false),
    (r#"[{"anything-but": ["stopped", "overloaded"]}]"#, r#""stopped""#, false),
    (r#"[{"anything-but": 123}]"#, "124", true),
    (r#"[{"anything-but": 123}]"#, "123", false),
    (r#"[{"anything-but": 123}]"#, "1.23e2", false),
    (r#"[{"anything-but": 123}]"#, r#""123""#, true),
    (r#"[{"anything-but": "123"}]"#, "123", true),
    (r#"[{"anything-but": [100, 200, 300]}]"#, "150", true),
    (r#"[{"anything-but": [100, 200, 300]}]"#, "200.0", false),
    (r#"[{"anything-but": [100, 200, 300]}]"#, "null", true),
    (r#"[{"anything-but": {"prefix": "init"}}]"#, r#""running""#, true),
    (r#"[{"anything-but": {"prefix": "init"}}]"#, r#""initializing""#, false),
    (r#"[{"anything-but": {"prefix": "init"}}]"#, r#""init""#, false),
    (r#"[{"anything-but": {"prefix": "init"}}]"#, r#""reinit""#, true),
    (r#"[{"anything-but": {"prefix": "init"}}]"#, "5", true),
    (r#"[{"anything-but": {"prefix": ["init", "error"]}}]"#, r#""error-5""#, false),
    (r#"[{"anything-but": {"prefix": ["init", "error"]}}]"#, r#""no-error""#, true),
    (r#"[{"anything-but": {"suffix": "1234"}}]"#, r#""i-1234""#, false),
    (r#"[{"anything-but": {"suffix": "1234"}}]"#, r#""1234-i""#, true),
    (r#"[{"anything-but": {"suffix": [".png", ".jpg"]}}]"#, r#""cat.jpg""#, false),
    (r#"[{"anything-but": {"suffix": [".png", ".jpg"]}}]"#, r#""cat.gif""#, true),
    (r#"[{"anything-but": {"equals-ignore-case": "Stopped"}}]"#, r#""STOPPED""#, false),
    (r#"[{"anything-but": {"equals-ignore-case": "Stopped"}}]"#, r#""stopped!""#, true),
    (r#"[{"anything-but": {"equals-ignore-case": ["Stopped", "OverLoaded"]}}]"#, r#""overloaded""#, false),
    (r#"[{"anything-but": {"equals-ignore-case": ["Stopped", "OverLoaded"]}}]"#, r#""running""#, true),
    (r#"[{"anything-but": {"wildcard": "*/lib/*"}}]"#, r#""/usr/lib/x.so""#, false),
    (r#"[{"anything-but": {"wildcard": "*/lib/*"}}]"#, r#""/usr/bin/x""#, true),
    (r#"[{"anything-but": {"wildcard": "*/lib/*"}}]"#, "true", true),
    (r#"[{"anything-but": {"wildcard": ["*/bin/*.jar", "*/bin/*.class"]}}]"#, r#""/bin/A.class""#, false),
    (r#"[{"anything-but": {"wildcard": ["*/bin/*.jar", "*/bin/*.class"]}}]"#, r#""/bin/A.java""#, true),
    // Of an array, one element that is something else is enough.
    (r#"[{"anything-but": "a"}]"#, r#"["a", "b"]"#, true),
    (r#"[{"anything-but": "a"}]"#, r#"["a", "a"]"#, false),
    (r#"[{"anything-but": [100, 500]}]"#, "[100, 50]", true),
    (r#"[{"anything-but": [100, 500]}]"#, "[100, 500]", false),
    // What is not there is not anything.
    (r#"[{"anything-but": "a"}]"#, "[]", false),
    (r#"[{"anything-but": "a"}]"#, "{}", false),
    (r#"[{"anything-but": "a"}]"#, r#"{"x": "b"}"#, false),
    // Two matchers in one list are alternatives, so together they let everything through.
    (r#"[{"anything-but": "a"}, {"anything-but": "b"}]"#, r#""a""#, true),
];

#[test]
fn anything_but_takes_all_else() {
    assert_values(VALUES);
}

#[test]
fn a_missing_field_is_not_anything() {
    assert!(!wants(r#"{"state": [{"anything-but": "stopped"}]}"#, r#"{"other": 1}"#));
}
