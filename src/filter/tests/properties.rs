//! What holds for any pattern and any document.

use proptest::collection::{btree_map, vec};
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::test_runner::Config;
use serde_json::{Value, json};

use crate::filter::evaluate::evaluate;
use crate::filter::json::Json;
use crate::filter::tests::wants;
use crate::filter::{Filter, combinations};

/// A pattern in which every kind of thing stands.
const RICH: &str = r#"{"type": ["a\u00e4", 1.5e3, true, null, {"prefix": "é"}, {"suffix": {"equals-ignore-case": "x"}}],
 "data": {"n": [{"numeric": [">=", -1, "<", 2]}], "$or": [{"ip": [{"cidr": "10.0.0.0/8"}, {"wildcard": "a*\\*"}]},
 {"u": [{"anything-but": ["b", "c"]}, {"anything-but": {"suffix": ["d"]}}, {"exists": false}]}]}}"#;

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        r"[a-c*\\]{0,6}".prop_map(Value::from),
    ]
}

fn document() -> impl Strategy<Value = Value> {
    let value = scalar().prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map("[a-d.]{0,2}", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    btree_map("[a-d]{1,2}", value, 1..4).prop_map(|map| Value::Object(map.into_iter().collect()))
}

/// Makes a matcher that the scalar has to meet.
fn matcher(scalar: &Value, choice: u8) -> Value {
    let Value::String(text) = scalar else {
        return match (scalar, choice % 4) {
            (Value::Number(_), 0) => json!({"numeric": ["=", scalar]}),
            (_, 1) => json!({"exists": true}),
            (_, 2) => json!({"anything-but": "never so"}),
            _ => scalar.clone(),
        };
    };
    let middle = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
    let (begin, end) = text.split_at(middle);
    let escaped = |part: &str| part.replace('\\', r"\\").replace('*', r"\*");
    match choice % 7 {
        0 => json!({"prefix": begin}),
        1 => json!({"suffix": end}),
        2 => json!({"wildcard": format!("{}*{}", escaped(begin), escaped(end))}),
        3 => json!({"equals-ignore-case": text}),
        4 => json!({"prefix": {"equals-ignore-case": begin}}),
        5 => json!({"anything-but": [format!("{text}x")]}),
        _ => scalar.clone(),
    }
}

/// Makes a pattern of a document's own values, with one element of each array; none if it holds none.
fn own_pattern(value: &Value, choices: &mut impl Iterator<Item = u8>) -> Option<Value> {
    let choice = choices.next().unwrap_or_default();
    match value {
        Value::Object(members) => {
            let fields =
                members.iter().filter_map(|(name, value)| Some((name.clone(), own_pattern(value, choices)?)));
            let fields: serde_json::Map<_, _> = fields.collect();
            (!fields.is_empty()).then_some(Value::Object(fields))
        }
        Value::Array(elements) => {
            let from = usize::from(choice) % elements.len().max(1);
            elements[from..].iter().find_map(|element| own_pattern(element, choices))
        }
        scalar => Some(json!([matcher(scalar, choice)])),
    }
}

/// Cuts, doubles and changes characters of a text.
fn mutated(text: &str, changes: &[(usize, u8, char)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, kind, c) in changes {
        let at = at % chars.len().max(1);
        match kind % 4 {
            _ if chars.is_empty() => chars.push(*c),
            0 => drop(chars.remove(at)),
            1 => chars.insert(at, *c),
            2 => chars[at] = *c,
            _ => chars.truncate(at.max(1)),
        }
    }
    chars.into_iter().collect()
}

fn changes() -> impl Strategy<Value = Vec<(usize, u8, char)>> {
    let syntax = || proptest::sample::select(r#"{}[]",:\u*01-.eEtf ä"#.chars().collect::<Vec<_>>());
    vec((any::<usize>(), 0..16u8, prop_oneof![4 => syntax(), 1 => any::<char>()]), 1..4).prop_map(
        |mut all| {
            all.iter_mut().for_each(|(_, kind, _)| *kind = if *kind == 15 { 3 } else { *kind % 3 });
            all
        },
    )
}

proptest! {
    #![proptest_config(Config { cases: 400, failure_persistence: None, ..Config::default() })]

    #[test]
    fn a_pattern_of_a_documents_own_values_matches_it(document in document(), choices in vec(any::<u8>(), 64)) {
        let Some(pattern) = own_pattern(&document, &mut choices.into_iter()) else { return Ok(()) };
        assert!(wants(&pattern.to_string(), &document.to_string()), "{pattern} {document}");

        let mut stricter = pattern;
        stricter["missing"] = json!([{"exists": true}]);
        assert!(!wants(&stricter.to_string(), &document.to_string()));
    }

    #[test]
    fn numbers_are_ordered_as_numbers_are(one in -1_000_000i64..1_000_000, other in -1_000_000i64..1_000_000, zeros in 0..4usize) {
        let written = format!("{{\"n\": {}.{}e-3}}", other * 1_000, "0".repeat(zeros + 1));
        let wants = |operator: &str| wants(&format!(r#"{{"n": [{{"numeric": ["{operator}", {one}]}}]}}"#), &written);
        assert_eq!(wants("<"), other < one);
        assert_eq!(wants("<="), other <= one);
        assert_eq!(wants("="), other == one);
        assert_eq!(wants(">="), other >= one);
        assert_eq!(wants(">"), other > one);
    }

    #[test]
    fn no_pattern_makes_parsing_panic(changes in changes(), text in ".{0,40}") {
        for pattern in [mutated(RICH, &changes), text] {
            if let Err(error) = Filter::parse(&pattern) {
                assert!(error.to_string().contains("the filter's line "), "{error}");
            }
        }
    }

    #[test]
    fn json_is_what_serde_json_takes_for_it(document in document(), changes in changes()) {
        let any = combinations(r#"{"a": [{"exists": true}]}"#).expect("it is a pattern");
        for text in [mutated(RICH, &changes), mutated(&document.to_string(), &changes)] {
            let theirs = match serde_json::from_str::<Value>(&text) {
                // It stops there, and does not say what follows.
                Err(error) if error.to_string().starts_with("number out of range") => continue,
                result => result.is_ok(),
            };
            assert_eq!(evaluate(&any[0], &text).is_ok(), theirs, "{text}");
            let ours = Json::parse(&text, 127).is_ok();
            assert!(ours == theirs || has_twins(&text), "{text}");
        }
    }
}

/// Tells whether a name comes twice in an object, which patterns may not have.
fn has_twins(text: &str) -> bool {
    Json::parse(text, 127).is_err_and(|fault| format!("{fault:?}").contains("comes twice"))
}
