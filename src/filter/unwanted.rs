//! Reads `anything-but`.

use crate::filter::fault::{Fault, quoted};
use crate::filter::json::{Json, Member, Node};
use crate::filter::leaf::Leaf;
use crate::filter::matchers::{EMPTY_LIST, leaf, only, text_matcher};
use crate::filter::reader::Scalar;

/// The matchers that it can deny.
const DENIABLE: [&str; 4] = ["prefix", "suffix", "equals-ignore-case", "wildcard"];

/// Reads what a value may not be.
///
/// # Errors
///
/// What is wrong with it, and where.
pub(super) fn unwanted(value: &Json<'_>) -> Result<Leaf, Fault> {
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
        let reason = "anything-but takes strings or numbers, not both; leave one kind out";
        return Err(Fault::new(mixed.at, reason));
    }
    leaf(at, list)
}

/// Reads what a value may not be like: one matcher with a string, or with several.
fn unlike(member: &Member<'_>) -> Result<Leaf, Fault> {
    let name = &*member.name;
    if !DENIABLE.contains(&name) {
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
