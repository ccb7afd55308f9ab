//! Events as HTTP messages, and HTTP messages as events.
//!
//! Mappings that know nothing of connections: `binary`, an event as the HTTP binding of CloudEvents 1.0 writes it in
//! binary mode; `request`, any request as an event of type `http.request`; `response`, the answer to one; `answer`, the
//! event that an answer may be.
//! Nothing is lost quietly: what does not fit its limits is an error that says so. Only what belongs to a connection
//! and not to the message is left behind (see [`is_framing`]).

pub(crate) mod answer;
pub(crate) mod binary;
mod percent;
pub(crate) mod request;
pub(crate) mod response;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::HeaderName;
use http::header::{CONNECTION, CONTENT_LENGTH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};

use crate::event::Event;

/// Header lines of one message.
pub(crate) const MAX_HEADERS: usize = 128;
/// Names and values of a message's headers together.
pub(crate) const MAX_HEADER_BYTES: usize = 64 * 1024;

/// What the attributes of an event begin with in binary mode.
const CE: &str = "ce-";
/// What has no header of its own: the body, and its type in `content-type`.
const ELSEWHERE: [&str; 3] = ["data", "data_base64", "datacontenttype"];
/// What a header's attribute begins with.
const HEADER: &str = "http.header.";

/// Tells whether a header is about the connection or the body's framing, which no function sees or sets.
///
/// The list is fixed: what `Connection` names is not looked at, since a client could hide headers that way that
/// somebody before us has set.
pub(crate) fn is_framing(name: &HeaderName) -> bool {
    [CONNECTION, CONTENT_LENGTH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE].contains(name)
        || ["keep-alive", "http2-settings"].contains(&name.as_str())
        || name.as_str().starts_with("proxy-")
}

/// Gives an event its body: none if nothing came, not even a type.
fn with_body(event: Event, body: Bytes) -> Event {
    if body.is_empty() && event.content_type().is_none() { event } else { event.with_body(body) }
}
