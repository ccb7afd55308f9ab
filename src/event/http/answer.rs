//! The event that an answer is, if it is one.

use serde_json::Value;

use crate::context::RequestId;
use crate::error::{Error, ErrorKind};
use crate::event::attributes::Fault;
use crate::event::http::{CE, ELSEWHERE, with_body};
use crate::event::json::SPEC_VERSION;
use crate::event::json::members::Members;
use crate::event::{DEFAULT_SOURCE, Event, Response};

/// The media type of one event in the JSON event format.
pub(crate) const STRUCTURED: &str = "application/cloudevents+json";

/// Reads an answer that says it is an event: by its media type, or by an attribute `ce-type`.
///
/// With the attributes, the others of the event are `ce-id`, `ce-source` and so on; id, source and version are filled
/// in where they are absent, and the body is the event's.
///
/// # Errors
///
/// `InvalidAnswer` for an event that the specification refuses.
pub(crate) fn event(answer: &Response) -> Result<Option<Event>, Error> {
    if answer.content_type().is_some_and(is_structured) {
        let event = serde_json::from_slice(answer.bytes());
        return event.map(Some).map_err(|error| invalid(&error.to_string()));
    }
    if answer.attribute("ce-type").is_none() {
        return Ok(None);
    }
    of_attributes(answer).map(Some).map_err(|fault| invalid(&fault.to_string()))
}

/// Tells whether a media type, whatever its parameters, is that of one event as JSON.
pub(crate) fn is_structured(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(STRUCTURED)
}

fn of_attributes(answer: &Response) -> Result<Event, Fault> {
    let mut members = Members::default();
    let mut add = |name: &str, value: String| members.add(name.to_owned(), Value::String(value));
    for (name, value) in answer.attributes() {
        match name.strip_prefix(CE) {
            Some(name) if ELSEWHERE.contains(&name) => return Err(elsewhere(name)),
            Some(name) => add(name, value.to_owned())?,
            None => {}
        }
    }
    answer.content_type().map_or(Ok(()), |value| add("datacontenttype", value.to_owned()))?;
    if answer.attribute("ce-id").is_none() {
        add("id", RequestId::new().to_string())?;
    }
    if answer.attribute("ce-source").is_none() {
        add("source", DEFAULT_SOURCE.to_owned())?;
    }
    if answer.attribute("ce-specversion").is_none() {
        add("specversion", SPEC_VERSION.to_owned())?;
    }
    Ok(with_body(members.into_event()?, answer.bytes().clone()))
}

fn elsewhere(name: &str) -> Fault {
    Fault::new(name, "it is no attribute of an answer; set the body and its content type")
}

fn invalid(reason: &str) -> Error {
    ErrorKind::InvalidAnswer { reason: format!("it says that it is an event, and is none: {reason}") }.into()
}
