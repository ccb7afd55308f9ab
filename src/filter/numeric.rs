//! Reads `numeric`.

use std::ops::Bound;

use crate::filter::decimal::Decimal;
use crate::filter::fault::Fault;
use crate::filter::json::{Json, Node};
use crate::filter::leaf::Matcher;
use crate::filter::matchers::decimal;
use crate::filter::reader::Scalar;

/// Reads a range of numbers, or one number.
///
/// # Errors
///
/// What is wrong with it, and where.
pub(super) fn numeric(value: &Json<'_>) -> Result<Matcher, Fault> {
    let Node::Array(terms) = &value.node else {
        return Err(Fault::new(value.at, "numeric takes a list; write it like [\">\", 0, \"<=\", 5]"));
    };
    let (low, rest) = bound(value.at, terms)?;
    if rest.is_empty() { Ok(one_sided(low)) } else { two_sided(low, rest) }
}

fn one_sided(side: Side<'_>) -> Matcher {
    match side {
        ("=", number) => Matcher::Numeric(Bound::Included(number.clone()), Bound::Included(number)),
        (">" | ">=", _) => Matcher::Numeric(end(side), Bound::Unbounded),
        _ => Matcher::Numeric(Bound::Unbounded, end(side)),
    }
}

fn two_sided(low: Side<'_>, rest: &[Json<'_>]) -> Result<Matcher, Fault> {
    let (high, more) = bound(rest[0].at, rest)?;
    if !low.0.starts_with('>') || !high.0.starts_with('<') {
        return Err(Fault::new(
            rest[0].at,
            "a range has > or >= first and < or <= second; write it like that",
        ));
    }
    if let Some(third) = more.first() {
        return Err(Fault::new(third.at, "a range has two ends; remove the rest"));
    }
    if low.1 >= high.1 {
        return Err(Fault::new(
            rest[1].at,
            "the range ends where it begins or before; make the second larger",
        ));
    }
    Ok(Matcher::Numeric(end(low), end(high)))
}

/// An operator and its number.
type Side<'a> = (&'a str, Decimal);

/// Reads one operator with its number, and returns what follows.
fn bound<'a, 'b>(at: usize, terms: &'a [Json<'b>]) -> Result<(Side<'a>, &'a [Json<'b>]), Fault> {
    let [operator, rest @ ..] = terms else {
        return Err(Fault::new(at, "numeric without an operator; write it like [\">\", 0, \"<=\", 5]"));
    };
    let Some(sign @ ("=" | ">" | ">=" | "<" | "<=")) = operator.as_str() else {
        return Err(Fault::new(operator.at, "unknown operator; write one of =, <, <=, > and >= in quotes"));
    };
    let Some(number) = rest.first() else {
        return Err(Fault::new(operator.at, format!("no number behind {sign}; write one")));
    };
    let Node::Scalar(Scalar::Number(text)) = &number.node else {
        return Err(Fault::new(number.at, format!("no number behind {sign}; write one, without quotes")));
    };
    Ok(((sign, decimal(number.at, text)?), &rest[1..]))
}

fn end((operator, number): Side<'_>) -> Bound<Decimal> {
    if operator.ends_with('=') { Bound::Included(number) } else { Bound::Excluded(number) }
}
