//! How an event is written to be kept, and read again.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::event::attributes::Attributes;
use crate::event::{Event, Extension};

/// Everything of an event but its body, which is kept beside it as it is.
#[derive(Serialize, Deserialize)]
pub(crate) struct Stored<'a> {
    id: Cow<'a, str>,
    source: Cow<'a, str>,
    event_type: Cow<'a, str>,
    subject: Option<Cow<'a, str>>,
    time: Option<Cow<'a, str>>,
    content_type: Option<Cow<'a, str>>,
    data_schema: Option<Cow<'a, str>>,
    extensions: Vec<(Cow<'a, str>, Value<'a>)>,
    has_body: bool,
}

/// An extension's value with its type, which the JSON format leaves out.
#[derive(Serialize, Deserialize)]
enum Value<'a> {
    String(Cow<'a, str>),
    Boolean(bool),
    Integer(i32),
}

impl Event {
    pub(crate) fn stored(&self) -> Stored<'_> {
        let attributes = &*self.attributes;
        let extensions = attributes.extensions.iter().map(|(name, value)| (name.into(), value.into()));
        Stored {
            id: Cow::Borrowed(&attributes.id),
            source: Cow::Borrowed(&attributes.source),
            event_type: Cow::Borrowed(&attributes.event_type),
            subject: attributes.subject.as_deref().map(Cow::Borrowed),
            time: attributes.time.as_deref().map(Cow::Borrowed),
            content_type: attributes.content_type.as_deref().map(Cow::Borrowed),
            data_schema: attributes.data_schema.as_deref().map(Cow::Borrowed),
            extensions: extensions.collect(),
            has_body: self.body.is_some(),
        }
    }
}

impl Stored<'_> {
    /// Makes the event again; it was judged before it was kept.
    pub(crate) fn into_event(self, body: Bytes) -> Event {
        let owned = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned);
        let extensions = self.extensions.into_iter().map(|(name, value)| (name.into_owned(), value.into()));
        let attributes = Attributes {
            id: self.id.into(),
            source: Cow::Owned(self.source.into_owned()),
            event_type: self.event_type.into_owned(),
            subject: owned(self.subject),
            time: owned(self.time),
            content_type: owned(self.content_type).map(Cow::Owned),
            data_schema: owned(self.data_schema),
            extensions: extensions.collect(),
            fault: None,
        };
        Event { attributes: Arc::new(attributes), body: self.has_body.then_some(body) }
    }
}

impl<'a> From<&'a Extension> for Value<'a> {
    fn from(extension: &'a Extension) -> Self {
        match extension {
            Extension::String(text) => Self::String(Cow::Borrowed(text)),
            Extension::Boolean(flag) => Self::Boolean(*flag),
            Extension::Integer(number) => Self::Integer(*number),
        }
    }
}

impl From<Value<'_>> for Extension {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::String(text) => Self::String(text.into_owned()),
            Value::Boolean(flag) => Self::Boolean(flag),
            Value::Integer(number) => Self::Integer(number),
        }
    }
}
