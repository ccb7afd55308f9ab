//! The JSON event format of CloudEvents: an event as one JSON object.
//!
//! Every event that passes its check can be written, and what was written reads as an equal event, but for
//! the spaces and the order of members in a JSON body.

mod data;
mod faithful;
pub(super) mod members;

#[cfg(test)]
mod tests;

use std::fmt;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};
use serde_json::Value;

use crate::event::Event;
use crate::event::json::data::Data;
use crate::event::json::members::Members;

/// The only version of the specification that there is, but for drafts.
pub(super) const SPEC_VERSION: &str = "1.0";

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(fault) = self.fault() {
            return Err(S::Error::custom(fault));
        }
        let mut map = serializer.serialize_map(None)?;
        write_attributes(self, &mut map)?;
        for (name, value) in self.extensions() {
            map.serialize_entry(name, value)?;
        }
        write_data(self, &mut map)?;
        map.end()
    }
}

fn write_attributes<M: SerializeMap>(event: &Event, map: &mut M) -> Result<(), M::Error> {
    let attributes = [
        ("specversion", Some(SPEC_VERSION)),
        ("id", Some(event.id())),
        ("source", Some(event.source())),
        ("type", Some(event.event_type())),
        ("subject", event.subject()),
        ("time", event.time()),
        ("datacontenttype", event.content_type()),
        ("dataschema", event.data_schema()),
    ];
    for (name, value) in attributes {
        if let Some(value) = value {
            map.serialize_entry(name, value)?;
        }
    }
    Ok(())
}

fn write_data<M: SerializeMap>(event: &Event, map: &mut M) -> Result<(), M::Error> {
    match event.body.as_ref().map(|body| Data::of(body, event.content_type())) {
        None => Ok(()),
        Some(Data::Json(value)) => map.serialize_entry("data", &value),
        Some(Data::Text(text)) => map.serialize_entry("data", text),
        Some(Data::Base64(text)) => map.serialize_entry("data_base64", &text),
    }
}

/// Writes a body as the member of an object that would hold it.
pub(crate) fn data(body: &Bytes, content_type: Option<&str>) -> (&'static str, Value) {
    match Data::of(body, content_type) {
        Data::Json(value) => ("data", value),
        Data::Text(text) => ("data", text.into()),
        Data::Base64(text) => ("data_base64", text.into()),
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EventVisitor)
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event, as a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event, A::Error> {
        let mut members = Members::default();
        while let Some((name, value)) = map.next_entry()? {
            members.add(name, value).map_err(A::Error::custom)?;
        }
        members.into_event().map_err(A::Error::custom)
    }
}
