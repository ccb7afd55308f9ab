//! Patterns that are refused, and where.

use crate::filter::Filter;

/// A pattern, the line and the column of what is wrong in it, and words of the reason.
type Refused = (&'static str, usize, usize, &'static str);

const JSON: &[Refused] = &[
    ("", 1, 1, "the text ends where a value is missing"),
    (" \n ", 2, 2, "the text ends where a value is missing"),
    ("{", 1, 2, "a member's name is missing"),
    (r#"{"a""#, 1, 5, "a colon is missing"),
    (r#"{"a" ["b"]}"#, 1, 6, "a colon is missing"),
    (r#"{"a": }"#, 1, 7, "no JSON value begins like this"),
    (r#"{"a": ["b"]"#, 1, 12, "a comma or a } is missing"),
    (r#"{"a": ["b"}"#, 1, 11, "a comma or a ] is missing"),
    (r#"{"a": ["b",]}"#, 1, 12, "no JSON value begins like this"),
    (r#"{"a": ["b"],}"#, 1, 13, "a member's name is missing"),
    (r#"{"a": ["b"] "c": ["d"]}"#, 1, 13, "a comma or a } is missing"),
    (r#"{a: ["b"]}"#, 1, 2, "a member's name is missing"),
    (r#"{"a": ['b']}"#, 1, 8, "no JSON value begins like this"),
    ("{\"a\": [\"b]}", 1, 8, "the string does not end"),
    ("{\"a\": [\"b\nc\"]}", 1, 10, "a control character"),
    (r#"{"a": ["\x"]}"#, 1, 9, "unknown escape"),
    (r#"{"a": ["ok\u12g4"]}"#, 1, 11, "four hexadecimal digits"),
    (r#"{"a": ["\ud800"]}"#, 1, 9, "half of a surrogate pair"),
    (r#"{"a": ["\udc00\ud800"]}"#, 1, 9, "half of a surrogate pair"),
    (r#"{"a": [01]}"#, 1, 8, "begins with a zero"),
    (r#"{"a": [-]}"#, 1, 9, "a digit is missing"),
    (r#"{"a": [1.]}"#, 1, 10, "a digit is missing"),
    (r#"{"a": [1e+]}"#, 1, 11, "a digit is missing"),
    (r#"{"a": [True]}"#, 1, 8, "no JSON value begins like this"),
    (r#"{"a": [nil]}"#, 1, 8, "an unknown word"),
    (r#"{"a": [nullable]}"#, 1, 8, "an unknown word"),
    (r#"{"a": ["b"]} {"#, 1, 14, "something follows"),
    ("{\"a\": [\"b\"]}\n\n// done", 3, 1, "something follows"),
    ("{\"a\": [1],\n \"b\": [2],\n \"a\": [3]}", 3, 2, r#""a" comes twice in this object"#),
];

const SHAPES: &[Refused] = &[
    ("[]", 1, 1, "a pattern is an object"),
    (" \"order.placed\"", 1, 2, "a pattern is an object"),
    ("{}", 1, 1, "an empty object asks nothing"),
    ("{\n  \"detail\": {}\n}", 2, 13, "an empty object asks nothing"),
    (r#"{"a": "b"}"#, 1, 7, r#""a" has no list of values"#),
    (r#"{"a": null}"#, 1, 7, r#""a" has no list of values"#),
    (r#"{"ä": {"ö": 5}}"#, 1, 13, r#""ö" has no list of values"#),
    (r#"{"a": []}"#, 1, 7, "an empty list matches nothing"),
    (r#"{"a": [["b"]]}"#, 1, 8, "a list within a list"),
    (r#"{"a": ["b", [1]]}"#, 1, 13, "a list within a list"),
    (r#"{"a": [{}]}"#, 1, 8, "a matcher without a name"),
    (r#"{"a": [{"prefix": "b", "suffix": "c"}]}"#, 1, 24, "a second name in one matcher"),
    ("{\"a\": [\n  {\"prefx\": \"b\"}\n]}", 2, 4, r#"unknown matcher "prefx""#),
    (r#"{"a": [{"Prefix": "b"}]}"#, 1, 9, r#"unknown matcher "Prefix""#),
    (r#"{"a": [{"a\u001b[2J": 1}]}"#, 1, 9, r#"unknown matcher "a\u{1b}[2J""#),
];

const MATCHERS: &[Refused] = &[
    (r#"{"a": [{"prefix": 5}]}"#, 1, 19, "prefix takes a string"),
    (r#"{"a": [{"prefix": ["b"]}]}"#, 1, 19, "prefix takes a string"),
    (r#"{"a": [{"prefix": {}}]}"#, 1, 19, "a matcher without a name"),
    (r#"{"a": [{"prefix": {"suffix": "b"}}]}"#, 1, 20, r#"unknown "suffix" in prefix"#),
    (r#"{"a": [{"prefix": {"equals-ignore-case": 1}}]}"#, 1, 42, "equals-ignore-case takes a string"),
    (r#"{"a": [{"suffix": null}]}"#, 1, 19, "suffix takes a string"),
    (r#"{"a": [{"suffix": {"equals-ignore-case": ["b"]}}]}"#, 1, 42, "equals-ignore-case takes a string"),
    (r#"{"a": [{"equals-ignore-case": ["b"]}]}"#, 1, 31, "equals-ignore-case takes a string"),
    (r#"{"a": [{"wildcard": 1}]}"#, 1, 21, "wildcard takes a string"),
    (r#"{"a": [{"wildcard": "b**c"}]}"#, 1, 21, "two asterisks in a row"),
    (r#"{"a": [{"wildcard": "b\\c"}]}"#, 1, 21, "a backslash before neither"),
    (r#"{"a": [{"wildcard": "b\\"}]}"#, 1, 21, "a backslash before neither"),
    (r#"{"a": [{"exists": "true"}]}"#, 1, 19, "exists takes true or false"),
    (r#"{"a": [{"exists": [true]}]}"#, 1, 19, "exists takes true or false"),
    (r#"{"a": [{"anything-but": null}]}"#, 1, 25, "anything-but takes strings or numbers"),
    (r#"{"a": [{"anything-but": true}]}"#, 1, 25, "anything-but takes strings or numbers"),
    (r#"{"a": [{"anything-but": []}]}"#, 1, 25, "an empty list matches nothing"),
    (r#"{"a": [{"anything-but": ["b", null]}]}"#, 1, 31, "anything-but takes strings or numbers"),
    (r#"{"a": [{"anything-but": ["b", {"prefix": "c"}]}]}"#, 1, 31, "anything-but takes strings or numbers"),
    (r#"{"a": [{"anything-but": ["b", 5]}]}"#, 1, 31, "not both"),
    (r#"{"a": [{"anything-but": {"numeric": ["=", 5]}}]}"#, 1, 26, r#"unknown "numeric" in anything-but"#),
    (r#"{"a": [{"anything-but": {"prefix": ""}}]}"#, 1, 36, "an empty prefix"),
    (r#"{"a": [{"anything-but": {"suffix": ["b", ""]}}]}"#, 1, 42, "an empty suffix"),
    (r#"{"a": [{"anything-but": {"prefix": []}}]}"#, 1, 36, "an empty list matches nothing"),
    (r#"{"a": [{"anything-but": {"wildcard": ["*", "**"]}}]}"#, 1, 44, "two asterisks in a row"),
    (r#"{"a": [{"anything-but": {"equals-ignore-case": [1]}}]}"#, 1, 49, "equals-ignore-case takes a string"),
    (r#"{"a": [{"anything-but": {"prefix": {"equals-ignore-case": "b"}}}]}"#, 1, 36, "prefix takes a string"),
    (r#"{"a": [{"cidr": 10}]}"#, 1, 17, "cidr takes a string"),
    (r#"{"a": [{"cidr": "10.0.0.0"}]}"#, 1, 17, "no slash in it"),
    (r#"{"a": [{"cidr": "10.0.0/24"}]}"#, 1, 17, "no IP address before the slash"),
    (r#"{"a": [{"cidr": "host.example/24"}]}"#, 1, 17, "no IP address before the slash"),
    (r#"{"a": [{"cidr": "10.0.0.0/33"}]}"#, 1, 17, "write one from 0 to 32"),
    (r#"{"a": [{"cidr": "10.0.0.0/-1"}]}"#, 1, 17, "write one from 0 to 32"),
    (r#"{"a": [{"cidr": "10.0.0.0/+8"}]}"#, 1, 17, "write one from 0 to 32"),
    (r#"{"a": [{"cidr": "10.0.0.0/8/8"}]}"#, 1, 17, "write one from 0 to 32"),
    (r#"{"a": [{"cidr": "::/129"}]}"#, 1, 17, "write one from 0 to 128"),
];

const NUMBERS: &[Refused] = &[
    (r#"{"a": [{"numeric": 5}]}"#, 1, 20, "numeric takes a list"),
    (r#"{"a": [{"numeric": []}]}"#, 1, 20, "numeric without an operator"),
    (r#"{"a": [{"numeric": [5]}]}"#, 1, 21, "unknown operator"),
    (r#"{"a": [{"numeric": ["!=", 5]}]}"#, 1, 21, "unknown operator"),
    (r#"{"a": [{"numeric": [">"]}]}"#, 1, 21, "no number behind >"),
    (r#"{"a": [{"numeric": [">", "5"]}]}"#, 1, 26, "write one, without quotes"),
    (r#"{"a": [{"numeric": [">", 5, "<"]}]}"#, 1, 29, "no number behind <"),
    (r#"{"a": [{"numeric": [">", 5, "=", 6]}]}"#, 1, 29, "a range has > or >= first"),
    (r#"{"a": [{"numeric": ["<", 5, ">", 0]}]}"#, 1, 29, "a range has > or >= first"),
    (r#"{"a": [{"numeric": ["=", 5, "<", 6]}]}"#, 1, 29, "a range has > or >= first"),
    (r#"{"a": [{"numeric": [">", 0, "<", 5, "<", 6]}]}"#, 1, 37, "a range has two ends"),
    (r#"{"a": [{"numeric": [">", 5, "<", 5]}]}"#, 1, 34, "the range ends where it begins or before"),
    (r#"{"a": [{"numeric": [">=", 5, "<=", 5.0]}]}"#, 1, 36, "the range ends where it begins or before"),
    (r#"{"a": [{"numeric": [">=", 5, "<", -5]}]}"#, 1, 35, "the range ends where it begins or before"),
    (r#"{"a": [{"numeric": ["=", 1e1000001]}]}"#, 1, 26, "the number's exponent is out of reach"),
    (r#"{"a": [1e99999999999999999999]}"#, 1, 8, "the number's exponent is out of reach"),
];

const ALTERNATIVES: &[Refused] = &[
    (r#"{"$or": [{"a": [1]}]}"#, 1, 2, "$or takes two objects or more"),
    (r#"{"$or": [{"a": [1]}, ["b"]]}"#, 1, 2, "$or takes two objects or more"),
    (r#"{"$or": [{"a": [1]}, {"prefix": "b"}]}"#, 1, 2, "$or takes two objects or more"),
    (r#"{"$or": [{"a": [1]}, {}]}"#, 1, 22, "an empty object asks nothing"),
    (r#"{"$or": []}"#, 1, 9, "an empty list matches nothing"),
    (r#"{"$or": 5}"#, 1, 9, r#""$or" has no list of values"#),
    (r#"{"$or": [{"a": [1]}, {"b": {"prefix": [2]}}]}"#, 1, 29, r#""prefix" cannot name a field within $or"#),
    ("{\"$or\": [{\"a\": [1]}, {\"b\": [2]}],\n\"a\": [3]}", 2, 1, r#""a" is asked for twice at once"#),
    (r#"{"a": {"b": [1]}, "$or": [{"c": [1]}, {"a": {"b": [2]}}]}"#, 1, 46, r#""a.b" is asked for twice"#),
    (r#"{"a": [1], "$or": [{"c": [1]}, {"a": {"b": [2]}}]}"#, 1, 39, r#""a.b" is asked for twice"#),
    (r#"{"a": {"b": [1]}, "$or": [{"c": [1]}, {"a": [2]}]}"#, 1, 40, r#""a" is asked for twice"#),
];

#[track_caller]
fn assert_refused(cases: &[Refused]) {
    for (pattern, line, column, words) in cases {
        let error = Filter::parse(pattern).expect_err(pattern).to_string();
        let place = format!("invalid configuration: the filter's line {line}, column {column}: ");
        assert!(error.starts_with(&place) && error.contains(words), "{pattern}\n{error}");
    }
}

#[test]
fn what_is_no_json_is_refused_where_it_ends_being_it() {
    assert_refused(JSON);
}

#[test]
fn what_has_not_the_shape_of_a_pattern_is_refused() {
    assert_refused(SHAPES);
}

#[test]
fn matchers_with_wrong_values_are_refused() {
    assert_refused(MATCHERS);
}

#[test]
fn ranges_that_hold_nothing_are_refused() {
    assert_refused(NUMBERS);
}

#[test]
fn alternatives_that_are_none_or_ask_twice_are_refused() {
    assert_refused(ALTERNATIVES);
}

#[test]
fn every_refusal_says_what_to_do() {
    let all = [JSON, SHAPES, MATCHERS, NUMBERS, ALTERNATIVES].concat();
    assert!(all.len() >= 40, "{}", all.len());
    for (pattern, ..) in all {
        let error = Filter::parse(pattern).expect_err(pattern).to_string();
        let (_, advice) = error.split_once("; ").unwrap_or_else(|| panic!("no advice: {error}"));
        let verbs =
            ["write", "remove", "put", "make", "name", "merge", "close", "complete", "give", "leave", "add"];
        assert!(verbs.iter().any(|verb| advice.contains(verb)), "{error}");
    }
}

#[test]
fn what_the_pattern_says_is_cut_and_escaped() {
    let error = Filter::parse(&format!(r#"{{"a": [{{"{}": 1}}]}}"#, "\\u0007x".repeat(500))).unwrap_err();
    let error = error.to_string();
    assert!(error.len() < 600 && !error.contains('\u{7}'), "{error}");
}
