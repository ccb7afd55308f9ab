//! The body of an event within its JSON object: `data` or `data_base64`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

use crate::event::attributes::{Fault, quoted};
use crate::event::json::faithful;
use crate::event::media_type;

/// How a body is written.
pub(super) enum Data<'a> {
    Json(Value),
    Text(&'a str),
    Base64(String),
}

impl<'a> Data<'a> {
    /// Chooses the most readable form from which the reader gets the same body.
    pub(super) fn of(body: &'a Bytes, content_type: Option<&str>) -> Self {
        let readable = if is_json(content_type) {
            faithful::parse(body).map(Self::Json)
        } else if content_type.is_some_and(media_type::is_text) {
            std::str::from_utf8(body).ok().map(Self::Text)
        } else {
            None
        };
        readable.unwrap_or_else(|| Self::Base64(STANDARD.encode(body)))
    }
}

/// Reads the body from the two members that may hold it.
///
/// A `data` of null is a body, the JSON value null, and not the absence of one.
pub(super) fn read(
    data: Option<Value>,
    base64: Option<String>,
    content_type: Option<&str>,
) -> Result<Option<Bytes>, Fault> {
    match (data, base64) {
        (None, None) => Ok(None),
        (None, Some(base64)) => decode(&base64).map(Some),
        (Some(data), None) if is_json(content_type) => Ok(Some(data.to_string().into())),
        (Some(Value::String(text)), None) => Ok(Some(text.into())),
        (Some(data), None) => Err(not_text(&data, content_type)),
        (Some(_), Some(_)) => {
            Err(Fault::new("data_base64", "the event has data too, and one body only; leave one of them out"))
        }
    }
}

/// An event without a content type is read as if it were JSON.
pub(super) fn is_json(content_type: Option<&str>) -> bool {
    content_type.is_none_or(media_type::is_json)
}

fn decode(base64: &str) -> Result<Bytes, Fault> {
    STANDARD.decode(base64).map(Bytes::from).map_err(|error| {
        let reason = format!("{} is not Base64: {}", quoted(base64), error.to_string().to_lowercase());
        Fault::new("data_base64", format!("{reason}; write it in the standard alphabet with padding"))
    })
}

fn not_text(data: &Value, content_type: Option<&str>) -> Fault {
    let (data, content_type) = (quoted(&data.to_string()), quoted(content_type.unwrap_or_default()));
    let advice = "send a string, or a JSON datacontenttype";
    Fault::new("data", format!("{data} is not a string, which it must be for {content_type}; {advice}"))
}
