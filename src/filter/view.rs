//! An event as a pattern sees it.

use std::borrow::Cow;

use crate::event::{Event, Extension};
use crate::filter::evaluate::evaluate;
use crate::filter::reader::Scalar;
use crate::filter::tree::{Found, Kind, Tree};

/// The name under which a pattern finds the body.
const DATA: &str = "data";

/// Tells whether an event meets all demands of a combination.
///
/// The body is read last, and only when all attributes are as they should be.
pub(super) fn meets(event: &Event, combination: &Tree) -> bool {
    let Kind::Fields(fields) = &combination.kind else {
        return false;
    };
    let mut attributes = fields.iter().filter(|(name, _)| **name != *DATA);
    let mut data = fields.iter().filter(|(name, _)| **name == *DATA);
    attributes.all(|(name, tree)| attribute(event, name, tree).is_satisfied())
        && data.all(|(_, tree)| body(event, tree).is_satisfied())
}

fn attribute(event: &Event, name: &str, tree: &Tree) -> Found {
    let text = match name {
        "specversion" => Some("1.0"),
        "id" => Some(event.id()),
        "source" => Some(event.source()),
        "type" => Some(event.event_type()),
        "subject" => event.subject(),
        "time" => event.time(),
        "datacontenttype" => event.content_type(),
        "dataschema" => event.data_schema(),
        _ => return event.extension(name).map_or(tree.missing(), |value| tree.scalar(&scalar(value))),
    };
    text.map_or(tree.missing(), |text| tree.scalar(&Scalar::String(Cow::Borrowed(text))))
}

fn scalar(extension: &Extension) -> Scalar<'_> {
    match extension {
        Extension::String(text) => Scalar::String(Cow::Borrowed(text)),
        Extension::Boolean(flag) => Scalar::Boolean(*flag),
        Extension::Integer(number) => Scalar::Number(Cow::Owned(number.to_string())),
    }
}

/// Looks into the body; one that is no JSON is missing.
fn body(event: &Event, tree: &Tree) -> Found {
    let text = std::str::from_utf8(event.body()).ok();
    text.and_then(|text| evaluate(tree, text).ok()).unwrap_or_else(|| tree.missing())
}
