//! Reads the list that stands behind a name: plain values and matchers.

use crate::filter::decimal::Decimal;
use crate::filter::fault::{Fault, quoted};
use crate::filter::json::{Json, Member, Node};
use crate::filter::leaf::{Leaf, Matcher};
use crate::filter::letters::Letters;
use crate::filter::network::Network;
use crate::filter::numeric::numeric;
use crate::filter::reader::Scalar;
use crate::filter::unwanted::unwanted;
use crate::filter::wildcard::Wildcard;

const MATCHERS: &str = "prefix, suffix, equals-ignore-case, wildcard, anything-but, numeric, exists or cidr";

/// What is wrong with a list that has nothing in it.
pub(super) const EMPTY_LIST: &str = "an empty list matches nothing; put a value in it, or remove the field";

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
///
/// # Errors
///
/// Where there is none, or a second one.
pub(super) fn only<'a, 'b>(at: usize, members: &'a [Member<'b>]) -> Result<&'a Member<'b>, Fault> {
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
///
/// # Errors
///
/// That there is none or a wrong one, and where.
pub(super) fn text_matcher(name: &str, value: &Json<'_>) -> Result<Matcher, Fault> {
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

/// Reads a number that can be compared.
///
/// # Errors
///
/// That it cannot, and where it stands.
pub(super) fn decimal(at: usize, text: &str) -> Result<Decimal, Fault> {
    Decimal::parse(text)
        .ok_or_else(|| Fault::new(at, "the number's exponent is out of reach; write a nearer number"))
}
