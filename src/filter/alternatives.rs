//! Tells `$or` from a field that is only called so.

use crate::filter::fault::Fault;
use crate::filter::json::{Json, Member, Node};

/// The name that stands for alternatives.
const OR: &str = "$or";

/// Words that name no field within alternatives, also those that EventBridge keeps for later.
const RESERVED: [&str; 24] = [
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

/// One of several objects, where it begins, and what it demands.
pub(super) type Alternative<'a> = (usize, &'a [Member<'a>]);

/// Tells whether a name cannot be a field's within alternatives.
pub(super) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// Returns the objects of `$or`; none if the member is an ordinary field.
///
/// As EventBridge has it, only a list of two objects or more that use no reserved word means alternatives.
///
/// # Errors
///
/// Where a list begins that is neither alternatives nor matchers.
pub(super) fn alternatives<'a>(member: &'a Member<'_>) -> Result<Option<Vec<Alternative<'a>>>, Fault> {
    let (true, Node::Array(list)) = (member.name == OR, &member.value.node) else {
        return Ok(None);
    };
    let objects: Vec<_> = list.iter().filter_map(object).collect();
    let fields = objects.iter().filter(|(_, members)| !members.iter().any(|m| is_reserved(&m.name))).count();
    if fields == list.len() && fields > 1 {
        return Ok(Some(objects));
    }
    if fields > 0 {
        let reason = "$or takes two objects or more, with names of fields only; add one, or drop the $or";
        return Err(Fault::new(member.at, reason));
    }
    Ok(None)
}

fn object<'a>(json: &'a Json<'_>) -> Option<Alternative<'a>> {
    match &json.node {
        Node::Object(members) => Some((json.at, members)),
        _ => None,
    }
}
