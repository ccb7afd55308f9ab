//! Plain values: strings, numbers, booleans, null.

use crate::filter::combinations;
use crate::filter::evaluate::evaluate;
use crate::filter::tests::{Case, assert_values};

pub(super) const VALUES: &[Case] = &[
    (r#"["running"]"#, r#""running""#, true),
    (r#"["running"]"#, r#""Running""#, false),
    (r#"["running"]"#, r#""running ""#, false),
    (r#"["running"]"#, r#""runnin""#, false),
    (r#"["initializing", "running"]"#, r#""running""#, true),
    (r#"["initializing", "running"]"#, r#""stopped""#, false),
    // Null and the empty string are not each other.
    (r#"[""]"#, r#""""#, true),
    (r#"[""]"#, "null", false),
    ("[null]", "null", true),
    ("[null]", r#""""#, false),
    ("[null]", r#""null""#, false),
    ("[null]", "0", false),
    (r#"["null"]"#, "null", false),
    ("[true]", "true", true),
    ("[true]", "false", false),
    ("[true]", r#""true""#, false),
    ("[false]", "false", true),
    ("[false]", "null", false),
    (r#"["true"]"#, "true", false),
    ("[1]", "1", true),
    ("[1]", r#""1""#, false),
    (r#"["1"]"#, "1", false),
    ("[1]", "1.0", true),
    ("[1.50]", "15e-1", true),
    ("[301.8]", "3.018e2", true),
    ("[1]", "1.000001", false),
    ("[0]", "-0", true),
    ("[-3]", "3", false),
    (r#"["a", 5, true, null]"#, "5", true),
    (r#"["a", 5, true, null]"#, "true", true),
    (r#"["a", 5, true, null]"#, "null", true),
    (r#"["a", 5, true, null]"#, "false", false),
    // Escapes mean what they stand for, on both sides.
    (r#"["a\u0062c"]"#, r#""abc""#, true),
    (r#"["abc"]"#, r#""\u0061bc""#, true),
    (r#"["\ud83d\ude00"]"#, r#""😀""#, true),
    (r#"["a\"b\\c\/d\n\t\r\b\f"]"#, r#""a\u0022b\u005cc/d\u000a\u0009\u000d\u0008\u000c""#, true),
    (r#"["ä"]"#, r#""a\u0308""#, false),
    // An object is no value.
    (r#"["a"]"#, r#"{"a": "a"}"#, false),
];

#[test]
fn plain_values_match_what_is_the_same() {
    assert_values(VALUES);
}

#[test]
fn long_lists_find_each_of_their_values() {
    let words: Vec<String> = (0..500).rev().map(|n| format!("\"w{n}\"")).collect();
    let numbers: Vec<String> = (0..500).rev().map(|n| format!("{n}.5")).collect();
    let pattern = format!(r#"{{"w": [{}], "n": [{}]}}"#, words.join(","), numbers.join(","));
    let trees = combinations(&pattern).unwrap();
    let wants = |w: String, n: String| {
        evaluate(&trees[0], &format!(r#"{{"w": "{w}", "n": {n}}}"#)).unwrap().is_satisfied()
    };
    for n in 0..500 {
        assert!(wants(format!("w{n}"), format!("{n}.5")));
        assert!(!wants(format!("w{n}x"), format!("{n}.5")));
        assert!(!wants(format!("w{n}"), format!("{n}")));
    }
}
