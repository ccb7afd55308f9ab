//! Filters: what they want and what they refuse.
//!
//! The table is written from what is published about EventBridge patterns: the user guide's pages on
//! operators, arrays and null values, and the manual of the open engine, Event Ruler.

mod any_of;
mod anything_but;
mod arrays;
mod cidr;
mod costs;
mod events;
mod exact;
mod exists;
mod limits;
mod malformed;
mod names;
mod numeric;
mod properties;
mod text;

use crate::filter::combinations;
use crate::filter::evaluate::evaluate;

/// A pattern, a document, and whether the one wants the other.
type Case = (&'static str, &'static str, bool);

/// Tells whether a pattern wants a document.
#[track_caller]
fn wants(pattern: &str, document: &str) -> bool {
    let combinations = combinations(pattern).unwrap_or_else(|fault| panic!("{pattern}: {fault:?}"));
    let found = |tree| evaluate(tree, document).unwrap_or_else(|fault| panic!("{document}: {fault:?}"));
    combinations.iter().any(|tree| found(tree).is_satisfied())
}

/// Judges whole patterns and documents.
#[track_caller]
fn assert_cases(cases: &[Case]) {
    let wrong = cases.iter().filter(|(pattern, document, wanted)| wants(pattern, document) != *wanted);
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{} of {} are judged otherwise: {wrong:#?}", wrong.len(), cases.len());
}

/// Judges one field's list and its value, within `detail`.
#[track_caller]
fn assert_values(cases: &[Case]) {
    let within = |inner: &str| format!(r#"{{"detail": {{"x": {inner}}}}}"#);
    let wrong = cases.iter().filter(|(list, value, wanted)| wants(&within(list), &within(value)) != *wanted);
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{} of {} are judged otherwise: {wrong:#?}", wrong.len(), cases.len());
}

#[test]
fn the_table_has_at_least_150_cases() {
    let tables = [
        exact::VALUES,
        text::AFFIXES,
        text::CASELESS,
        text::WILDCARDS,
        anything_but::VALUES,
        numeric::VALUES,
        exists::VALUES,
        exists::DOCUMENTS,
        cidr::VALUES,
        arrays::DOCUMENTS,
        any_of::DOCUMENTS,
        names::DOCUMENTS,
    ];
    let count: usize = tables.into_iter().map(<[Case]>::len).sum();
    assert!(count >= 150, "{count}");
    for table in tables {
        let wanted = table.iter().filter(|(.., wanted)| *wanted).count();
        assert!(wanted > 0 && wanted < table.len(), "a group has only one outcome: {:?}", table[0]);
    }
}
