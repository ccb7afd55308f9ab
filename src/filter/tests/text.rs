//! Matchers of strings: prefix, suffix, equals-ignore-case, wildcard.

use crate::filter::tests::{Case, assert_values};

pub(super) const AFFIXES: &[Case] = &[
    (r#"[{"prefix": "us-"}]"#, r#""us-east-1""#, true),
    (r#"[{"prefix": "us-"}]"#, r#""us-""#, true),
    (r#"[{"prefix": "us-"}]"#, r#""us""#, false),
    (r#"[{"prefix": "us-"}]"#, r#""aus-1""#, false),
    (r#"[{"prefix": "us-"}]"#, r#""US-east-1""#, false),
    (r#"[{"prefix": "2017-10-02"}]"#, r#""2017-10-02T18:43:48Z""#, true),
    (r#"[{"prefix": "1"}]"#, "12", false),
    (r#"[{"prefix": "tr"}]"#, "true", false),
    (r#"[{"prefix": "nu"}]"#, "null", false),
    (r#"[{"prefix": ""}]"#, r#""anything""#, true),
    (r#"[{"prefix": ""}]"#, r#""""#, true),
    (r#"[{"prefix": ""}]"#, "1", false),
    (r#"[{"prefix": "eu-"}, {"prefix": "us-"}]"#, r#""us-east-1""#, true),
    (r#"[{"prefix": "eu-"}, "us-east-1"]"#, r#""us-east-1""#, true),
    (r#"[{"prefix": "eu-"}, "us-east-1"]"#, r#""us-east-2""#, false),
    (r#"[{"suffix": ".png"}]"#, r#""dir/cat.png""#, true),
    (r#"[{"suffix": ".png"}]"#, r#"".png""#, true),
    (r#"[{"suffix": ".png"}]"#, r#""png""#, false),
    (r#"[{"suffix": ".png"}]"#, r#""cat.png.txt""#, false),
    (r#"[{"suffix": ".png"}]"#, r#""cat.PNG""#, false),
    (r#"[{"suffix": "1"}]"#, "11", false),
    (r#"[{"suffix": ""}]"#, r#""""#, true),
    (r#"[{"suffix": "ä"}]"#, r#""xä""#, true),
    (r#"[{"suffix": "。"}]"#, r#""句。""#, true),
];

pub(super) const CASELESS: &[Case] = &[
    (r#"[{"equals-ignore-case": "alice"}]"#, r#""Alice""#, true),
    (r#"[{"equals-ignore-case": "ALICE"}]"#, r#""alice""#, true),
    (r#"[{"equals-ignore-case": "alice"}]"#, r#""alice""#, true),
    (r#"[{"equals-ignore-case": "alice"}]"#, r#""alices""#, false),
    (r#"[{"equals-ignore-case": "alice"}]"#, r#""alic""#, false),
    (r#"[{"equals-ignore-case": "a-1"}]"#, r#""A-1""#, true),
    (r#"[{"equals-ignore-case": ""}]"#, r#""""#, true),
    (r#"[{"equals-ignore-case": ""}]"#, r#""a""#, false),
    (r#"[{"equals-ignore-case": "true"}]"#, "true", false),
    (r#"[{"equals-ignore-case": "1"}]"#, "1", false),
    (r#"[{"equals-ignore-case": "MÄRZ"}]"#, r#""märz""#, true),
    (r#"[{"equals-ignore-case": "ß"}]"#, r#""SS""#, true),
    (r#"[{"equals-ignore-case": "SS"}]"#, r#""ß""#, false),
    (r#"[{"prefix": {"equals-ignore-case": "EventB"}}]"#, r#""eventbridge""#, true),
    (r#"[{"prefix": {"equals-ignore-case": "EventB"}}]"#, r#""EVENTB""#, true),
    (r#"[{"prefix": {"equals-ignore-case": "EventB"}}]"#, r#""event""#, false),
    (r#"[{"prefix": {"equals-ignore-case": "EventB"}}]"#, r#""an eventb""#, false),
    (r#"[{"prefix": {"equals-ignore-case": "ÄB"}}]"#, r#""äbc""#, true),
    (r#"[{"suffix": {"equals-ignore-case": ".png"}}]"#, r#""cat.PNG""#, true),
    (r#"[{"suffix": {"equals-ignore-case": ".PnG"}}]"#, r#""cat.pNg""#, true),
    (r#"[{"suffix": {"equals-ignore-case": ".png"}}]"#, r#""cat.png2""#, false),
    (r#"[{"suffix": {"equals-ignore-case": "BÄ"}}]"#, r#""xbä""#, true),
    (r#"[{"suffix": {"equals-ignore-case": "ǰ"}}]"#, r#""xJ\u030c""#, true),
    (r#"[{"suffix": {"equals-ignore-case": "İ"}}]"#, r#""xi\u0307""#, true),
    (r#"[{"suffix": {"equals-ignore-case": "tBridge"}}]"#, r#""EventBridge""#, true),
];

pub(super) const WILDCARDS: &[Case] = &[
    (r#"[{"wildcard": "dir/*.png"}]"#, r#""dir/cat.png""#, true),
    (r#"[{"wildcard": "dir/*.png"}]"#, r#""dir/.png""#, true),
    (r#"[{"wildcard": "dir/*.png"}]"#, r#""dir/sub/cat.png""#, true),
    (r#"[{"wildcard": "dir/*.png"}]"#, r#""dir/cat.jpg""#, false),
    (r#"[{"wildcard": "dir/*.png"}]"#, r#""my/dir/cat.png""#, false),
    (r#"[{"wildcard": "Simple*Service"}]"#, r#""SimpleQueueService""#, true),
    (r#"[{"wildcard": "Simple*Service"}]"#, r#""SimpleService""#, true),
    (r#"[{"wildcard": "Simple*Service"}]"#, r#""simplequeueservice""#, false),
    (r#"[{"wildcard": "*"}]"#, r#""""#, true),
    (r#"[{"wildcard": "*"}]"#, r#""anything at all""#, true),
    (r#"[{"wildcard": "*"}]"#, "5", false),
    (r#"[{"wildcard": ""}]"#, r#""""#, true),
    (r#"[{"wildcard": ""}]"#, r#""a""#, false),
    (r#"[{"wildcard": "abc"}]"#, r#""abc""#, true),
    (r#"[{"wildcard": "abc"}]"#, r#""abcd""#, false),
    (r#"[{"wildcard": "*b*"}]"#, r#""abc""#, true),
    (r#"[{"wildcard": "*b*"}]"#, r#""b""#, true),
    (r#"[{"wildcard": "*b*"}]"#, r#""ac""#, false),
    (r#"[{"wildcard": "a*a"}]"#, r#""aa""#, true),
    (r#"[{"wildcard": "a*a"}]"#, r#""a""#, false),
    (r#"[{"wildcard": "a*b*a"}]"#, r#""abba""#, true),
    (r#"[{"wildcard": "a*b*a"}]"#, r#""aa""#, false),
    (r#"[{"wildcard": "*ab*ab"}]"#, r#""abxab""#, true),
    (r#"[{"wildcard": "*ab*ab"}]"#, r#""xab""#, false),
    (r#"[{"wildcard": "*aab"}]"#, r#""aaab""#, true),
    (r#"[{"wildcard": "*ab*ba*"}]"#, r#""aba""#, false),
    (r#"[{"wildcard": "*ab*ba*"}]"#, r#""abba""#, true),
    (r#"[{"wildcard": "a*bc*c"}]"#, r#""abcbc""#, true),
    (r#"[{"wildcard": "5\\*3"}]"#, r#""5*3""#, true),
    (r#"[{"wildcard": "5\\*3"}]"#, r#""5x3""#, false),
    (r#"[{"wildcard": "C:\\\\*"}]"#, r#""C:\\temp""#, true),
    (r#"[{"wildcard": "C:\\\\*"}]"#, r#""C:temp""#, false),
    (r#"[{"wildcard": "\\**"}]"#, r#""*x""#, true),
    (r#"[{"wildcard": "*ä*"}]"#, r#""xäx""#, true),
];

#[test]
fn prefix_and_suffix_look_at_the_ends() {
    assert_values(AFFIXES);
}

#[test]
fn case_is_ignored_where_a_pattern_says_so() {
    assert_values(CASELESS);
}

#[test]
fn an_asterisk_stands_for_any_characters() {
    assert_values(WILDCARDS);
}

/// EventBridge's engine folds the characters of UTF-16, of which these have two, and no title case.
#[test]
fn case_is_ignored_in_every_script() {
    assert_values(&[
        (r#"[{"equals-ignore-case": "𐐀"}]"#, r#""𐐨""#, true),
        (r#"[{"equals-ignore-case": "ǅ"}]"#, r#""ǅ""#, true),
    ]);
}
