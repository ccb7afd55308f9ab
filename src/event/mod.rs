//! What happened, and what was answered.
//!
//! An attribute is judged once, when it is set; whoever reads it later can rely on it after one
//! [`Event::check`]. Nothing here knows who sends an event or who answers it.

mod attributes;
mod body;
mod extension;
pub(crate) mod http;
mod input;
pub(crate) mod json;
mod media_type;
mod response;
mod stored;
mod time;
mod uri;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::attributes::{Attributes, Fault};
pub use self::extension::Extension;
pub(crate) use self::input::{Input, Request};
pub use self::response::Response;
pub(crate) use self::stored::Stored;
use crate::context::RequestId;
use crate::error::Error;

/// The source of an event that names none.
const DEFAULT_SOURCE: &str = "/fnhost";

/// The content type of what was written from a Rust value.
const JSON: &str = "application/json";

static NO_BODY: Bytes = Bytes::new();

/// What happened: the attributes of CloudEvents 1.0 and a body.
///
/// Setters never fail. The first attribute that the specification refuses is remembered, and
/// [`check`](Self::check) reports it; the runtime checks every event before it runs. Clones share their
/// attributes and their body. An absent body and an empty one are different events, though both read as
/// no bytes.
///
/// With serde, an event is read and written in the JSON event format.
///
/// ```
/// use fnhost::Event;
///
/// let event = Event::json("order.placed", &[1, 2, 3])?
///     .with_source("/shop/berlin")
///     .with_subject("order-7")
///     .with_extension("priority", 3);
/// event.check()?;
/// assert_eq!(event.body(), "[1,2,3]");
/// assert_eq!(event.content_type(), Some("application/json"));
///
/// let text = serde_json::to_string(&event).expect("a checked event can be written");
/// let read: Event = serde_json::from_str(&text).expect("and read again");
/// assert_eq!(read, event);
/// # Ok::<(), fnhost::Error>(())
/// ```
#[derive(Clone, PartialEq)]
#[must_use = "an event does nothing until it is sent"]
pub struct Event {
    attributes: Arc<Attributes>,
    body: Option<Bytes>,
}

/// An event taken apart, for who needs its text owned.
pub(crate) struct Parts {
    pub(crate) id: Arc<str>,
    pub(crate) source: Cow<'static, str>,
    pub(crate) event_type: String,
    pub(crate) subject: Option<String>,
    pub(crate) time: Option<String>,
    pub(crate) content_type: Option<Cow<'static, str>>,
    pub(crate) data_schema: Option<String>,
    pub(crate) extensions: BTreeMap<String, Extension>,
    pub(crate) body: Bytes,
}

impl Event {
    /// Creates an event without a body; its id is made, its source is `/fnhost`.
    ///
    /// ```
    /// let event = fnhost::Event::new("clock.struck");
    /// assert_eq!((event.event_type(), event.source()), ("clock.struck", "/fnhost"));
    /// assert!(event.body().is_empty());
    /// ```
    pub fn new(event_type: impl Into<String>) -> Self {
        Self::identified(RequestId::new().to_shared_text(), event_type.into())
    }

    /// Creates an event with a body of bytes, without a content type.
    ///
    /// ```
    /// let event = fnhost::Event::bytes("image.uploaded", vec![0xff, 0xd8]).with_content_type("image/jpeg");
    /// assert_eq!(event.body().len(), 2);
    /// ```
    pub fn bytes(event_type: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self::new(event_type).with_body(body)
    }

    /// Creates an event whose body is the value written as JSON, with the content type `application/json`.
    ///
    /// # Errors
    ///
    /// `InvalidBody` for a value that JSON cannot hold, such as a map whose keys are no strings.
    ///
    /// ```
    /// let event = fnhost::Event::json("order.placed", &"tea")?;
    /// assert_eq!(event.body_json::<String>()?, "tea");
    /// # Ok::<(), fnhost::Error>(())
    /// ```
    pub fn json(event_type: impl Into<String>, value: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        let mut event = Self::bytes(event_type, body::to_json(value)?);
        event.attributes_mut().content_type = Some(Cow::Borrowed(JSON));
        Ok(event)
    }

    /// Returns the id, shared with the event.
    pub(crate) fn shared_id(&self) -> Arc<str> {
        Arc::clone(&self.attributes.id)
    }

    /// Takes the event apart; nothing is copied unless a clone of it still lives.
    pub(crate) fn into_parts(self) -> Parts {
        let attributes = Arc::unwrap_or_clone(self.attributes);
        Parts {
            id: attributes.id,
            source: attributes.source,
            event_type: attributes.event_type,
            subject: attributes.subject,
            time: attributes.time,
            content_type: attributes.content_type,
            data_schema: attributes.data_schema,
            extensions: attributes.extensions,
            body: self.body.unwrap_or_default(),
        }
    }

    /// Sets the id, which with the source names this event and no other; made by default.
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        let attributes = self.attributes_mut();
        attributes.id = attributes.judged("id", id.into(), attributes::check_required).into();
        self
    }

    /// Sets where it happened, a URI-reference; `/fnhost` by default.
    pub fn with_source(mut self, source: impl Into<String>) -> Self {
        let attributes = self.attributes_mut();
        attributes.source = Cow::Owned(attributes.judged("source", source.into(), uri::check_reference));
        self
    }

    /// Sets what the event is about, within its source; none by default.
    pub fn with_subject(mut self, subject: impl Into<String>) -> Self {
        let attributes = self.attributes_mut();
        attributes.subject = Some(attributes.judged("subject", subject.into(), attributes::check_required));
        self
    }

    /// Sets when it happened, as RFC 3339 writes it; none by default.
    pub fn with_time(mut self, time: impl Into<String>) -> Self {
        let attributes = self.attributes_mut();
        attributes.time = Some(attributes.judged("time", time.into(), time::check));
        self
    }

    /// Sets the media type of the body (`datacontenttype`); none by default, JSON for [`Event::json`].
    pub fn with_content_type(mut self, content_type: impl Into<String>) -> Self {
        let attributes = self.attributes_mut();
        let judged = attributes.judged("datacontenttype", content_type.into(), media_type::check);
        attributes.content_type = Some(Cow::Owned(judged));
        self
    }

    /// Sets the schema that the body follows, an absolute URI without a fragment (`dataschema`);
    /// none by default.
    pub fn with_data_schema(mut self, data_schema: impl Into<String>) -> Self {
        let attributes = self.attributes_mut();
        attributes.data_schema =
            Some(attributes.judged("dataschema", data_schema.into(), uri::check_absolute));
        self
    }

    /// Sets an extension attribute, in the place of an earlier one of that name; none by default.
    ///
    /// A name has 1 to 20 characters of `a-z` and `0-9`, and is not one that the specification uses.
    pub fn with_extension(mut self, name: impl Into<String>, value: impl Into<Extension>) -> Self {
        self.attributes_mut().extend(name.into(), value.into());
        self
    }

    /// Sets the body; absent by default.
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Returns the id.
    pub fn id(&self) -> &str {
        &self.attributes.id
    }

    /// Returns where it happened.
    pub fn source(&self) -> &str {
        &self.attributes.source
    }

    /// Returns what kind of thing happened.
    pub fn event_type(&self) -> &str {
        &self.attributes.event_type
    }

    /// Returns what the event is about.
    pub fn subject(&self) -> Option<&str> {
        self.attributes.subject.as_deref()
    }

    /// Returns when it happened, as RFC 3339 writes it.
    pub fn time(&self) -> Option<&str> {
        self.attributes.time.as_deref()
    }

    /// Returns the media type of the body.
    pub fn content_type(&self) -> Option<&str> {
        self.attributes.content_type.as_deref()
    }

    /// Returns the schema that the body follows.
    pub fn data_schema(&self) -> Option<&str> {
        self.attributes.data_schema.as_deref()
    }

    /// Returns the extension attributes, ordered by name.
    pub fn extensions(&self) -> impl Iterator<Item = (&str, &Extension)> {
        self.attributes.extensions.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Returns one extension attribute.
    pub fn extension(&self, name: &str) -> Option<&Extension> {
        self.attributes.extensions.get(name)
    }

    /// Returns the body; no bytes if there is none.
    pub fn body(&self) -> &Bytes {
        self.body.as_ref().unwrap_or(&NO_BODY)
    }

    /// Reads the body as text.
    ///
    /// # Errors
    ///
    /// `InvalidBody` if it is not UTF-8.
    pub fn body_text(&self) -> Result<&str, Error> {
        body::text(self.body())
    }

    /// Reads the body as JSON, whatever its content type says.
    ///
    /// # Errors
    ///
    /// `InvalidBody` if it is not JSON, or not of that type.
    pub fn body_json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        body::json(self.body())
    }

    /// Reports the first attribute that the specification refuses.
    ///
    /// Setting the attribute again does not clear the report: whoever set it first made a mistake.
    ///
    /// # Errors
    ///
    /// `InvalidEvent` with the attribute, its value, and what to do.
    ///
    /// ```
    /// let error = fnhost::Event::new("order.placed").with_time("yesterday").check().unwrap_err();
    /// assert!(error.to_string().contains("write it like 2018-04-05T17:31:00Z"));
    /// ```
    pub fn check(&self) -> Result<(), Error> {
        self.fault().map_or(Ok(()), |fault| Err(fault.clone().into()))
    }

    fn identified(id: Arc<str>, event_type: String) -> Self {
        let attributes = Attributes::new(id, Cow::Borrowed(DEFAULT_SOURCE), event_type);
        Self { attributes: Arc::new(attributes), body: None }
    }

    fn fault(&self) -> Option<&Fault> {
        self.attributes.fault.as_deref()
    }

    fn attributes_mut(&mut self) -> &mut Attributes {
        Arc::make_mut(&mut self.attributes)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("attributes", &self.attributes)
            .field("body_bytes", &self.body.as_ref().map(Bytes::len))
            .finish()
    }
}
