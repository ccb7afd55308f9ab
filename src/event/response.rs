//! What the handler answered.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::event::attributes::quoted;
use crate::event::{JSON, body};
use crate::report::Report;

const MAX_ATTRIBUTES: usize = 64;
const MAX_ATTRIBUTE_NAME: usize = 64;
/// Names and values together.
const MAX_ATTRIBUTE_BYTES: usize = 16 * 1024;
/// A guest chooses its content type, so that has a limit of its own.
const MAX_CONTENT_TYPE: usize = 1024;

/// What the handler answered: a body, its content type, and attributes.
///
/// At most 64 attributes, 16 KB together; a name has 1 to 64 characters of `a-z`, `0-9`, `.`, `_` and `-`.
///
/// ```
/// use fnhost::Response;
///
/// let response = Response::from_json(&["tea", "milk"])?.with_attribute("cache-control", "no-store");
/// assert_eq!(response.content_type(), Some("application/json"));
/// assert_eq!(response.json::<Vec<String>>()?, ["tea", "milk"]);
/// assert_eq!(response.attribute("cache-control"), Some("no-store"));
/// # Ok::<(), fnhost::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Response {
    content_type: Option<Cow<'static, str>>,
    attributes: Vec<(String, String)>,
    body: Bytes,
    report: Option<Box<Report>>,
}

impl Response {
    /// Creates an answer that says nothing but that all went well.
    ///
    /// ```
    /// assert!(fnhost::Response::new().bytes().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates an answer of bytes, without a content type.
    ///
    /// ```
    /// let response = fnhost::Response::from_bytes(vec![0xff, 0xd8]).with_content_type("image/jpeg");
    /// assert_eq!(response.into_bytes().len(), 2);
    /// ```
    #[must_use]
    pub fn from_bytes(body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    /// Creates an answer of text, with the content type `text/plain; charset=utf-8`.
    ///
    /// ```
    /// assert_eq!(fnhost::Response::from_text("done").text()?, "done");
    /// # Ok::<(), fnhost::Error>(())
    /// ```
    #[must_use]
    pub fn from_text(text: impl Into<String>) -> Self {
        let content_type = Some(Cow::Borrowed("text/plain; charset=utf-8"));
        Self { content_type, body: text.into().into(), ..Self::default() }
    }

    /// Creates an answer from a value written as JSON, with the content type `application/json`.
    ///
    /// # Errors
    ///
    /// `InvalidBody` for a value that JSON cannot hold, such as a map whose keys are no strings.
    ///
    /// ```
    /// assert_eq!(fnhost::Response::from_json(&[1, 2])?.bytes(), "[1,2]");
    /// # Ok::<(), fnhost::Error>(())
    /// ```
    pub fn from_json(value: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        let body = body::to_json(value)?;
        Ok(Self { content_type: Some(Cow::Borrowed(JSON)), body, ..Self::default() })
    }

    /// Sets the media type of the body; none by default, but for text and JSON.
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(Cow::Owned(content_type.into()));
        self
    }

    /// Sets an attribute, in the place of an earlier one of that name; none by default.
    ///
    /// The runtime judges names, values and limits when the handler has answered.
    #[must_use]
    pub fn with_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        match self.attributes.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None => self.attributes.push((name, value)),
        }
        self
    }

    /// Returns the media type of the body.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// Returns the attributes, in the order in which they were given.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns one attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Returns the body.
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// Returns the body alone.
    pub fn into_bytes(self) -> Bytes {
        self.body
    }

    /// Reads the body as text.
    ///
    /// # Errors
    ///
    /// `InvalidBody` if it is not UTF-8.
    pub fn text(&self) -> Result<&str, Error> {
        body::text(&self.body)
    }

    /// Reads the body as JSON, whatever its content type says.
    ///
    /// # Errors
    ///
    /// `InvalidBody` if it is not JSON, or not of that type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        body::json(&self.body)
    }

    /// Returns what the invocation cost and how it ended; an empty report until the runtime has given one.
    pub fn report(&self) -> &Report {
        self.report.as_deref().unwrap_or_else(|| Report::empty())
    }

    pub(crate) fn set_report(&mut self, report: Box<Report>) {
        self.report = Some(report);
    }

    pub(crate) fn take_report(&mut self) -> Option<Box<Report>> {
        self.report.take()
    }

    /// Makes an answer of what a guest gave, or says what the guest got wrong.
    pub(crate) fn from_parts(
        content_type: Option<String>,
        attributes: Vec<(String, String)>,
        body: Bytes,
    ) -> Result<Self, String> {
        let response = Self { content_type: content_type.map(Cow::Owned), attributes, body, report: None };
        response.check_attributes()?;
        Ok(response)
    }

    /// Says what is wrong with the content type or the attributes.
    pub(crate) fn check_attributes(&self) -> Result<(), String> {
        self.content_type().map_or(Ok(()), check_content_type)?;
        // The count comes first: it bounds the work of everything after it.
        check_limit("attributes", self.attributes.len(), MAX_ATTRIBUTES)?;
        check_limit("bytes of attributes", self.attribute_bytes(), MAX_ATTRIBUTE_BYTES)?;
        self.attributes().try_for_each(|(name, value)| check_attribute(name, value))?;
        self.check_duplicates()
    }

    fn attribute_bytes(&self) -> usize {
        self.attributes().map(|(name, value)| name.len() + value.len()).sum()
    }

    fn check_duplicates(&self) -> Result<(), String> {
        for (at, (name, _)) in self.attributes().enumerate() {
            if self.attributes().skip(at + 1).any(|(other, _)| other == name) {
                return Err(format!("attribute {} is given twice; give it once", quoted(name)));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("content_type", &self.content_type)
            .field("attributes", &self.attributes)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

fn check_content_type(value: &str) -> Result<(), String> {
    check_limit("bytes of content type", value.len(), MAX_CONTENT_TYPE)?;
    check_controls("the content type", value)
}

fn check_attribute(name: &str, value: &str) -> Result<(), String> {
    let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    if !(1..=MAX_ATTRIBUTE_NAME).contains(&name.len()) || !name.bytes().all(allowed) {
        return Err(format!(
            "{} is not the name of an attribute; \
             use 1 to {MAX_ATTRIBUTE_NAME} characters of a-z, 0-9, '.', '_' and '-'",
            quoted(name)
        ));
    }
    check_controls(&format!("attribute {}", quoted(name)), value)
}

fn check_controls(what: &str, value: &str) -> Result<(), String> {
    if value.contains(char::is_control) {
        return Err(format!("{what} has a control character: {}; remove it", quoted(value)));
    }
    Ok(())
}

fn check_limit(what: &str, found: usize, limit: usize) -> Result<(), String> {
    if found > limit {
        return Err(format!("{found} {what}, the limit is {limit}; move some to the body"));
    }
    Ok(())
}
