//! Reads the list that stands behind a name: plain values and matchers.

use std::ops::Bound;

use crate::filter::decimal::Decimal;
use crate::filter::fault::{Fault, quoted};
use crate::filter::json::{Json, Member, Node};
use crate::filter::leaf::{Leaf, Matcher};
use crate::filter::letters::Letters;
use crate::filter::network::Network;
use crate::filter::reader::Scalar;
use crate::filter::wildcard::Wildcard;

const MATCHERS: &str = "prefix, suffix, equals-ignore-case, wildcard, anything-but, numeric, exists or cidr";
const EMPTY_LIST: &str = "an empty list matches nothing; put a value in it, or remove the field";

/// Reads a list of what a value may be.
///
/// # Errors
///
/// What is wrong with it, and where.
pub(super) fn leaf(at: usize, list: &[Json<'_>]) -> Result<Leaf, Fault> {
    if list.is_empty() {
        return Err(Fault::new(at, EMPTY_LIST));
    }
    let mut leaf = Leaf::default();
    for item in list {
        match &item.node {
            Node::Scalar(Scalar::Null) => leaf.push_null(),
            Node::Scalar(Scalar::Boolean(boolean)) => leaf.push_boolean(*boolean),
            Node::Scalar(Scalar::Number(number)) => leaf.push_number(decimal(item.at, number)?),
            Node::Scalar(Scalar::String(string)) => leaf.push_string(string),
            Node::Object(members) => demand(&mut leaf, only(item.at, members)?)?,
            Node::Array(_) => {
                let reason = "a list within a list; write its values into the outer one";
                return Err(Fault::new(item.at, reason));
            }
        }
    }
    Ok(leaf.sorted())
}

/// Returns the one member of a matcher.
fn only<'a, 'b>(at: usize, members: &'a [Member<'b>]) -> Result<&'a Member<'b>, Fault> {
    match members {
        [member] => Ok(member),
        [] => Err(Fault::new(at, format!("a matcher without a name; write one of {MATCHERS}"))),
        [_, second, ..] => {
            Err(Fault::new(second.at, "a second name in one matcher; give it braces of its own"))
        }
    }
}

fn demand(leaf: &mut Leaf, member: &Member<'_>) -> Result<(), Fault> {
    let value = &member.value;
    leaf.push(match &*member.name {
        "exists" if !exists(value)? => {
            leaf.allow_absence();
            return Ok(());
        }
        "exists" => Matcher::Exists,
        "prefix" | "suffix" => affix(member)?,
        "equals-ignore-case" | "wildcard" => text_matcher(&member.name, value)?,
        "numeric" => numeric(value)?,
        "cidr" => cidr(value)?,
        "anything-but" => Matcher::AnythingBut(unwanted(value)?),
        name => {
            return Err(Fault::new(member.at, format!("unknown matcher {}; write {MATCHERS}", quoted(name))));
        }
    });
    Ok(())
}

fn exists(value: &Json<'_>) -> Result<bool, Fault> {
    match value.node {
        Node::Scalar(Scalar::Boolean(exists)) => Ok(exists),
        _ => Err(Fault::new(value.at, "exists takes true or false; write one of them")),
    }
}

/// Reads a prefix or suffix: a string, or one whose case does not matter.
fn affix(member: &Member<'_>) -> Result<Matcher, Fault> {
    let Node::Object(members) = &member.value.node else {
        return text_matcher(&member.name, &member.value);
    };
    let inner = only(member.value.at, members)?;
    if inner.name != "equals-ignore-case" {
        let reason = format!("unknown {} in {}; write equals-ignore-case", quoted(&inner.name), member.name);
        return Err(Fault::new(inner.at, reason));
    }
    let letters = Letters(string(&inner.name, &inner.value)?.into());
    Ok(if member.name == "prefix" {
        Matcher::PrefixIgnoreCase(letters)
    } else {
        Matcher::SuffixIgnoreCase(letters)
    })
}

/// Reads a matcher that has a string.
fn text_matcher(name: &str, value: &Json<'_>) -> Result<Matcher, Fault> {
    let text = string(name, value)?;
    Ok(match name {
        "prefix" => Matcher::Prefix(text.into()),
        "suffix" => Matcher::Suffix(text.into()),
        "equals-ignore-case" => Matcher::EqualsIgnoreCase(Letters(text.into())),
        _ => Matcher::Wildcard(
            Wildcard::parse(text).map_err(|why| Fault::new(value.at, format!("{}: {why}", quoted(text))))?,
        ),
    })
}

fn string<'a>(name: &str, value: &'a Json<'_>) -> Result<&'a str, Fault> {
    value.as_str().ok_or_else(|| Fault::new(value.at, format!("{name} takes a string; write one")))
}

fn cidr(value: &Json<'_>) -> Result<Matcher, Fault> {
    let text = string("cidr", value)?;
    let network =
        Network::parse(text).map_err(|why| Fault::new(value.at, format!("{}: {why}", quoted(text))))?;
    Ok(Matcher::Cidr(network))
}

/// Reads what a value may not be.
fn unwanted(value: &Json<'_>) -> Result<Leaf, Fault> {
    match &value.node {
        Node::Object(members) => unlike(only(value.at, members)?),
        Node::Array(list) => unwanted_values(value.at, list),
        Node::Scalar(_) => unwanted_values(value.at, std::slice::from_ref(value)),
    }
}

/// Reads strings or numbers that a value may not be.
fn unwanted_values(at: usize, list: &[Json<'_>]) -> Result<Leaf, Fault> {
    let kind = |json: &Json<'_>| match json.node {
        Node::Scalar(Scalar::String(_)) => Some('"'),
        Node::Scalar(Scalar::Number(_)) => Some('0'),
        _ => None,
    };
    if let Some(wrong) = list.iter().find(|item| kind(item).is_none()) {
        return Err(Fault::new(wrong.at, "anything-but takes strings or numbers; write those"));
    }
    if let Some(mixed) = list.iter().find(|item| kind(item) != kind(&list[0])) {
        let reason = "anything-but takes strings or numbers, not both; make two matchers of two fields";
        return Err(Fault::new(mixed.at, reason));
    }
    leaf(at, list)
}

/// Reads what a value may not be like: one matcher with a string, or with several.
fn unlike(member: &Member<'_>) -> Result<Leaf, Fault> {
    let name = &*member.name;
    if !["prefix", "suffix", "equals-ignore-case", "wildcard"].contains(&name) {
        let reason = format!(
            "unknown {} in anything-but; write prefix, suffix, equals-ignore-case or wildcard",
            quoted(name)
        );
        return Err(Fault::new(member.at, reason));
    }
    let list = match &member.value.node {
        Node::Array(list) if list.is_empty() => return Err(Fault::new(member.value.at, EMPTY_LIST)),
        Node::Array(list) => list,
        _ => std::slice::from_ref(&member.value),
    };
    let mut leaf = Leaf::default();
    for item in list {
        if name.ends_with("fix") && item.as_str() == Some("") {
            let reason =
                format!("anything-but an empty {name} matches no string; write a character, or remove it");
            return Err(Fault::new(item.at, reason));
        }
        leaf.push(text_matcher(name, item)?);
    }
    Ok(leaf)
}

fn numeric(value: &Json<'_>) -> Result<Matcher, Fault> {
    let Node::Array(terms) = &value.node else {
        return Err(Fault::new(value.at, "numeric takes a list; write it like [\">\", 0, \"<=\", 5]"));
    };
    let (low, rest) = bound(value.at, terms)?;
    if rest.is_empty() {
        return Ok(match low {
            ("=", number) => Matcher::Numeric(Bound::Included(number.clone()), Bound::Included(number)),
            (">" | ">=", _) => Matcher::Numeric(end(low), Bound::Unbounded),
            _ => Matcher::Numeric(Bound::Unbounded, end(low)),
        });
    }
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

fn decimal(at: usize, text: &str) -> Result<Decimal, Fault> {
    Decimal::parse(text)
        .ok_or_else(|| Fault::new(at, "the number's exponent is out of reach; write a nearer number"))
}
