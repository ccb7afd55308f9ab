//! How large, how deep and how branched a pattern may be.

use crate::filter::Filter;

#[track_caller]
fn assert_refused(pattern: &str, words: &str) {
    let error = Filter::parse(pattern).unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}

fn sized(len: usize) -> String {
    let empty = r#"{"a": [""]}"#;
    empty.replace("\"\"", &format!("\"{}\"", "x".repeat(len - empty.len())))
}

fn nested(levels: usize) -> String {
    format!("{}[1]{}", r#"{"a":"#.repeat(levels - 1), "}".repeat(levels - 1))
}

/// `groups` times two alternatives, all beside each other.
fn branched(groups: usize, fields: usize) -> String {
    let both = |g: usize| format!(r#""g{g}": {{"$or": [{{"a": [1]}}, {{"b": [2]}}]}}"#);
    let mut members: Vec<_> = (0..groups).map(both).collect();
    members.extend((0..fields).map(|f| format!(r#""f{f}": [1]"#)));
    format!("{{{}}}", members.join(","))
}

#[test]
fn a_pattern_may_have_64_kib() {
    assert!(Filter::parse(&sized(64 * 1024)).is_ok());
    assert_refused(
        &sized(64 * 1024 + 1),
        "line 1, column 65537: a pattern has at most 65536 bytes, this one has 65537",
    );
}

#[test]
fn a_pattern_may_have_32_levels() {
    assert!(Filter::parse(&nested(32)).is_ok());
    assert_refused(&nested(33), "line 1, column 161: it is nested deeper than 32 levels");
    assert_refused(&"[".repeat(60_000), "line 1, column 33: it is nested deeper than 32 levels");
}

#[test]
fn a_pattern_may_have_1000_combinations() {
    let alternatives = |count: usize| {
        let all: Vec<_> = (0..count).map(|n| format!(r#"{{"a": [{n}]}}"#)).collect();
        format!(r#"{{"$or": [{}]}}"#, all.join(","))
    };
    assert!(Filter::parse(&alternatives(1000)).is_ok());
    assert_refused(&alternatives(1001), "line 1, column 2: there are more than 1000 combinations of $or");
    assert!(Filter::parse(&branched(9, 0)).is_ok());
    assert_refused(&branched(10, 0), "there are more than 1000 combinations of $or");
    assert_refused(&branched(1_500, 0), "there are more than 1000 combinations of $or");
}

#[test]
fn all_combinations_together_may_name_10000_fields() {
    // 512 combinations of 9 fields each, and then 512 more for each field.
    assert!(Filter::parse(&branched(9, 10)).is_ok());
    assert_refused(&branched(9, 11), "all combinations of $or together name more than 10000 fields");
    assert!(Filter::parse(&branched(0, 5_000)).is_ok());
}
