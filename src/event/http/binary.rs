//! CloudEvents 1.0 in the binary mode of its HTTP binding: attributes as `ce-` headers, the body as it is.
//!
//! An event that is written and read again is equal to what it was, but for what HTTP cannot tell apart: extensions
//! come back as text, and an empty body without a content type comes back as none.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use serde_json::Value;

use crate::error::Error;
use crate::event::Event;
use crate::event::attributes::{Fault, label};
use crate::event::http::{CE, ELSEWHERE, MAX_HEADER_BYTES, MAX_HEADERS, percent, with_body};
use crate::event::json::SPEC_VERSION;
use crate::event::json::members::Members;

/// Tells whether a message without the media type of CloudEvents says that it is an event.
pub(crate) fn is_event(headers: &HeaderMap) -> bool {
    headers.contains_key("ce-specversion")
}

/// Writes the event as a `POST` to `/`.
///
/// # Errors
///
/// As [`headers`].
pub(crate) fn request(event: &Event) -> Result<Request<Bytes>, Error> {
    let mut request = Request::new(event.body().clone());
    *request.method_mut() = Method::POST;
    *request.headers_mut() = headers(event)?;
    Ok(request)
}

/// Writes everything of the event but its body.
///
/// # Errors
///
/// `InvalidEvent` for an event that is none, and for one with more than 128 attributes, or 64 KiB of them as they
/// are written.
pub(crate) fn headers(event: &Event) -> Result<HeaderMap, Error> {
    event.check()?;
    let mut headers = Headers::default();
    headers.add("specversion", SPEC_VERSION)?;
    headers.add("id", event.id())?;
    headers.add("source", event.source())?;
    headers.add("type", event.event_type())?;
    let optional =
        [("subject", event.subject()), ("time", event.time()), ("dataschema", event.data_schema())];
    for (attribute, value) in optional {
        value.map_or(Ok(()), |value| headers.add(attribute, value))?;
    }
    for (attribute, value) in event.extensions() {
        headers.add(attribute, &value.to_string())?;
    }
    event.content_type().map_or(Ok(()), |value| headers.insert("datacontenttype", CONTENT_TYPE, value))?;
    Ok(headers.map)
}

/// Headers, counted as they are written.
#[derive(Default)]
struct Headers {
    map: HeaderMap,
    bytes: usize,
}

impl Headers {
    fn add(&mut self, attribute: &str, value: &str) -> Result<(), Fault> {
        let name = HeaderName::try_from(format!("{CE}{attribute}"));
        let name = name.expect("the name of a checked attribute has only letters and digits");
        self.insert(attribute, name, &percent::encode(value))
    }

    fn insert(&mut self, attribute: &str, name: HeaderName, value: &str) -> Result<(), Fault> {
        self.bytes += name.as_str().len() + value.len();
        if self.map.len() == MAX_HEADERS {
            let reason = format!("it is one attribute more than the {MAX_HEADERS} that HTTP can carry");
            return Err(Fault::new(attribute, format!("{reason}; move some to the body")));
        }
        if self.bytes > MAX_HEADER_BYTES {
            let (bytes, limit) = (self.bytes, MAX_HEADER_BYTES);
            let reason =
                format!("with it, the attributes take {bytes} bytes of headers, the limit is {limit}");
            return Err(Fault::new(attribute, format!("{reason}; move some to the body")));
        }
        let value =
            HeaderValue::try_from(value).expect("a media type and what is encoded are printable ASCII");
        self.map.insert(name, value);
        Ok(())
    }
}

/// Reads an event; headers that are no attributes of it are left alone.
///
/// # Errors
///
/// `InvalidEvent` with the attribute that is missing, given twice, or refused by the specification.
pub(crate) fn read(headers: &HeaderMap, body: Bytes) -> Result<Event, Error> {
    let mut members = Members::default();
    for name in headers.keys() {
        if let Some((attribute, value)) = attribute(headers, name)? {
            members.add(attribute.to_owned(), Value::String(value))?;
        }
    }
    Ok(with_body(members.into_event()?, body))
}

fn attribute<'a>(headers: &HeaderMap, name: &'a HeaderName) -> Result<Option<(&'a str, String)>, Fault> {
    if name == CONTENT_TYPE {
        let value = only(headers, name)?.as_bytes();
        return Ok(Some(("datacontenttype", String::from_utf8_lossy(value.trim_ascii()).into_owned())));
    }
    let Some(attribute) = name.as_str().strip_prefix(CE) else { return Ok(None) };
    if ELSEWHERE.contains(&attribute) {
        let reason = "in binary mode it has no header of its own; send it as the body and its content-type";
        return Err(Fault::new(name.as_str(), reason));
    }
    let value = percent::decode(only(headers, name)?.as_bytes());
    Ok(Some((attribute, value.map_err(|reason| Fault::new(&label(attribute), reason))?)))
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a HeaderValue, Fault> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        _ => Err(Fault::new(&label(name.as_str()), "the header stands there twice; leave one of them out")),
    }
}
