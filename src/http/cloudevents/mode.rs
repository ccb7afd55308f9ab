//! Which mode a request is in, and its event in structured mode.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;

use crate::escape::Escaped;
use crate::event::Event;
use crate::event::http::answer::STRUCTURED;
use crate::event::http::binary;
use crate::http::answer::Refusal;
use crate::http::cloudevents::refusal;

/// The media type of a batch of events in the JSON event format.
pub(super) const BATCH: &str = "application/cloudevents-batch+json";
/// What every media type of events begins with.
const EVENTS: &str = "application/cloudevents";

/// The content modes of the HTTP binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Binary,
    Structured,
    Batch,
}

impl Mode {
    /// Finds the mode that a request is in.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let content_type = content_type(headers)?;
        let (media_type, parameters) = content_type.split_once(';').unwrap_or((&content_type, ""));
        let mode = match media_type.trim_ascii() {
            STRUCTURED => Self::Structured,
            BATCH => Self::Batch,
            other if other.starts_with(EVENTS) => return Err(unknown_format(other)),
            _ if binary::is_event(headers) => return Ok(Self::Binary),
            _ => return Err(no_event()),
        };
        check_charset(parameters)?;
        Ok(mode)
    }
}

/// Reads the event of a body in structured mode.
pub(super) fn structured(body: &Bytes) -> Result<Event, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        refusal::bad_request(format!(
            "the body is no event in the JSON event format: {}",
            Escaped(&error.to_string())
        ))
    })
}

/// Returns the content type in lower case; the empty one where there is none.
fn content_type(headers: &HeaderMap) -> Result<String, Refusal> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let value = values.next().map_or(&b""[..], |value| value.as_bytes());
    if values.next().is_some() {
        return Err(refusal::bad_request(
            "the header content-type stands there twice; send it once".to_owned(),
        ));
    }
    Ok(String::from_utf8_lossy(value).to_ascii_lowercase())
}

fn check_charset(parameters: &str) -> Result<(), Refusal> {
    let charset = parameters.split(';').find_map(|parameter| parameter.trim_ascii().strip_prefix("charset="));
    match charset.map(|charset| charset.trim_matches('"')) {
        None | Some("utf-8" | "utf8" | "us-ascii") => Ok(()),
        Some(other) => {
            Err(refusal::media_type(format!("charset {} is not read; send UTF-8", Escaped(other))))
        }
    }
}

fn unknown_format(media_type: &str) -> Refusal {
    let reason = format!("the event format of {} is not read", Escaped(media_type));
    refusal::media_type(format!("{reason}; send {STRUCTURED} or {BATCH}, or the binary mode"))
}

fn no_event() -> Refusal {
    let advice = format!("send {STRUCTURED} or {BATCH}, or attributes as ce- headers");
    refusal::media_type(format!("the request is no event: it has no ce-specversion; {advice}"))
}
