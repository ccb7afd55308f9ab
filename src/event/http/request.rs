//! Any HTTP request as an event of type `http.request`, and its headers as attributes of the context.

use std::fmt;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode};

use crate::context::Context;
use crate::error::{Error, ErrorKind};
use crate::event::attributes::label;
use crate::event::http::{HEADER, MAX_HEADER_BYTES, MAX_HEADERS, is_framing};
use crate::event::{Event, media_type};

/// The type of an event that is a request.
pub(crate) const EVENT_TYPE: &str = "http.request";

/// Reads a request whose body has arrived.
///
/// The event's id is the context's request id, and its source the host that was asked for, as `//host:port`. The
/// path and the query stand in it as they were sent, percent-encoded. A content type that RFC 2045 does not know
/// stands in the context alone.
///
/// # Errors
///
/// A refusal, with the status that the client is owed.
pub(crate) fn read(context: Context, parts: &Parts, body: Bytes) -> Result<(Context, Event), Refusal> {
    check_size(&parts.headers)?;
    let event = event(&context, parts, body)?;
    let context =
        parts.headers.keys().filter(|name| !is_framing(name)).try_fold(context, |context, name| {
            Ok(context.with_attribute(format!("{HEADER}{name}"), joined(&parts.headers, name)?))
        })?;
    Ok((context, event))
}

/// Checks how many headers there are, and how large they are together.
///
/// # Errors
///
/// A refusal with status 431.
pub(crate) fn check_size(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.len() > MAX_HEADERS {
        return Err(Refusal::TooManyHeaders { found: headers.len() });
    }
    let found = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if found > MAX_HEADER_BYTES {
        return Err(Refusal::HeadersTooLarge { found });
    }
    Ok(())
}

fn event(context: &Context, parts: &Parts, body: Bytes) -> Result<Event, Refusal> {
    let uri = &parts.uri;
    let mut event = Event::identified(context.request_id().to_shared_text(), EVENT_TYPE.to_owned())
        .with_extension("httpmethod", parts.method.as_str())
        .with_extension("httppath", uri.path());
    if let Some(query) = uri.query() {
        event = event.with_extension("httpquery", query);
    }
    if let Some(host) = host(parts)? {
        event = event.with_source(format!("//{host}"));
    }
    let content_type = content_type(&parts.headers)?;
    if !body.is_empty() || content_type.is_some() {
        event = event.with_body(body);
    }
    if let Some(content_type) = content_type.filter(|value| media_type::check(value).is_ok()) {
        event = event.with_content_type(content_type);
    }
    checked(event)
}

fn checked(event: Event) -> Result<Event, Refusal> {
    match event.fault() {
        None => Ok(event),
        Some(fault) => Err(Refusal::Malformed { reason: fault.to_string() }),
    }
}

/// The host that was asked for; never with the user and password that a URI may have.
fn host(parts: &Parts) -> Result<Option<&str>, Refusal> {
    let host = match parts.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => only(&parts.headers, &HOST)?,
    };
    let host = host.map(|host| host.rsplit_once('@').map_or(host, |(_, host)| host));
    Ok(host.filter(|host| !host.is_empty()))
}

fn content_type(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    only(headers, &CONTENT_TYPE)
}

/// Returns the value of a header that may stand there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::malformed(name, "stands there twice; send it once"));
    }
    text(name, value.as_bytes()).map(Some)
}

/// Joins all values of a header; pairs of cookies are apart by semicolons, as in one header of them.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Result<String, Refusal> {
    let separator = if name == COOKIE { "; " } else { ", " };
    let mut joined = String::new();
    for (at, value) in headers.get_all(name).iter().enumerate() {
        joined.push_str(if at == 0 { "" } else { separator });
        joined.push_str(text(name, value.as_bytes())?);
    }
    Ok(joined)
}

fn text<'a>(name: &HeaderName, value: &'a [u8]) -> Result<&'a str, Refusal> {
    std::str::from_utf8(value).map_err(|_| Refusal::malformed(name, "is not UTF-8; encode its value"))
}

/// Why a request is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// More header lines than a context takes.
    TooManyHeaders { found: usize },
    /// More bytes of headers than a context takes.
    HeadersTooLarge { found: usize },
    /// Something that a function cannot be shown.
    Malformed { reason: String },
}

impl Refusal {
    fn malformed(name: &HeaderName, wrong: &str) -> Self {
        Self::Malformed { reason: format!("the header {} {wrong}", label(name.as_str())) }
    }

    /// Returns the status that the client is owed.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::TooManyHeaders { .. } | Self::HeadersTooLarge { .. } => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Self::Malformed { .. } => StatusCode::BAD_REQUEST,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyHeaders { found } => {
                write!(f, "{found} headers, the limit is {MAX_HEADERS}; send fewer")
            }
            Self::HeadersTooLarge { found } => {
                write!(f, "{found} bytes of headers, the limit is {MAX_HEADER_BYTES}; send less")
            }
            Self::Malformed { reason } => f.write_str(reason),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        ErrorKind::InvalidEvent { attribute: EVENT_TYPE.to_owned(), reason: refusal.to_string() }.into()
    }
}
