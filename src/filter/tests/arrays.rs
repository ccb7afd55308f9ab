//! Arrays in events.

use crate::filter::tests::{Case, assert_cases};

const EMPLOYEES: &str = r#"{"employees": [
    {"firstName": "John", "lastName": "Doe"},
    {"firstName": "Anna", "lastName": "Smith"},
    {"firstName": "Peter", "lastName": "Jones"}
]}"#;

const NESTED: &str = r#"{"employees": [
    [{"firstName": "John", "lastName": "Doe"}, {"firstName": "Anna", "lastName": "Smith"}],
    [{"firstName": "Peter", "lastName": "Jones"}]
]}"#;

const REGIONS: &str = r#"{"regions": [
    {"name": "eu", "zones": [{"id": 1, "up": true}, {"id": 2, "up": false}]},
    {"name": "us", "zones": [{"id": 3, "up": true}]}
], "teams": [{"name": "red"}, {"name": "blue"}]}"#;

pub(super) const DOCUMENTS: &[Case] = &[
    // One value that both have is enough.
    (r#"{"r": ["a", "b"]}"#, r#"{"r": ["x", "b"]}"#, true),
    (r#"{"r": ["a", "b"]}"#, r#"{"r": ["x", "y"]}"#, false),
    (r#"{"r": ["a"]}"#, r#"{"r": ["a"]}"#, true),
    (r#"{"r": ["a"]}"#, r#"{"r": []}"#, false),
    (r#"{"r": [1]}"#, r#"{"r": [2, [3, [1]]]}"#, true),
    (r#"{"r": [{"prefix": "b"}]}"#, r#"{"r": ["ab", "ba"]}"#, true),
    (r#"{"r": [null]}"#, r#"{"r": [1, null]}"#, true),
    (r#"{"r": ["a"]}"#, r#"{"r": [{"r": "a"}]}"#, false),
    // Objects in an array are looked into.
    (r#"{"employees": {"firstName": ["Anna"]}}"#, EMPLOYEES, true),
    (r#"{"employees": {"firstName": ["Paul"]}}"#, EMPLOYEES, false),
    (r#"{"employees": {"firstName": ["Anna"], "lastName": ["Smith"]}}"#, EMPLOYEES, true),
    (r#"{"employees": {"firstName": ["Anna"], "lastName": ["Jones"]}}"#, EMPLOYEES, false),
    (r#"{"employees": {"lastName": ["Jones"], "firstName": ["Anna", "Peter"]}}"#, EMPLOYEES, true),
    (r#"{"employees": {"firstName": ["Anna"]}}"#, NESTED, true),
    (r#"{"employees": {"firstName": ["Anna"], "lastName": ["Smith"]}}"#, NESTED, true),
    (r#"{"employees": {"firstName": ["Anna"], "lastName": ["Jones"]}}"#, NESTED, false),
    (r#"{"employees": {"firstName": ["John"], "lastName": ["Smith"]}}"#, NESTED, false),
    // The same object has to have all of it, at every level.
    (r#"{"regions": {"name": ["eu"], "zones": {"id": [2]}}}"#, REGIONS, true),
    (r#"{"regions": {"name": ["us"], "zones": {"id": [2]}}}"#, REGIONS, false),
    (r#"{"regions": {"zones": {"id": [2], "up": [true]}}}"#, REGIONS, false),
    (r#"{"regions": {"zones": {"id": [3], "up": [true]}}}"#, REGIONS, true),
    (r#"{"regions": {"name": ["eu"], "zones": {"id": [1], "up": [true]}}}"#, REGIONS, true),
    // Two arrays have nothing to do with each other.
    (r#"{"regions": {"name": ["us"]}, "teams": {"name": ["red"]}}"#, REGIONS, true),
    (r#"{"regions": {"name": ["us"]}, "teams": {"name": ["green"]}}"#, REGIONS, false),
    // Alternatives are judged together with what stands beside them.
    (
        r#"{"$or": [{"employees": {"firstName": ["Anna"]}}, {"x": [1]}], "employees": {"lastName": ["Jones"]}}"#,
        EMPLOYEES,
        false,
    ),
    (
        r#"{"$or": [{"employees": {"firstName": ["Peter"]}}, {"x": [1]}], "employees": {"lastName": ["Jones"]}}"#,
        EMPLOYEES,
        true,
    ),
];

#[test]
fn arrays_match_by_one_element_that_has_everything() {
    assert_cases(DOCUMENTS);
}
