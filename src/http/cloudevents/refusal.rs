//! Why a request or an event is refused, as a status and a JSON object.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, MemoryScope, Payload};

/// The methods that carry events.
pub(super) const METHODS: &str = "POST, PUT";

/// When another process has usually taken over.
const AFTER_SHUTDOWN: Duration = Duration::from_secs(5);
/// When memory has usually become free.
const SOON: Duration = Duration::from_secs(1);

/// Why a request is refused before any function has seen it.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    error: &'static str,
    message: String,
}

impl Refusal {
    pub(super) fn bad_request(message: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error: "bad-request", message }
    }

    pub(super) fn media_type(message: String) -> Self {
        Self { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, error: "unsupported-media-type", message }
    }

    pub(super) fn sender(message: String) -> Self {
        Self { status: StatusCode::FORBIDDEN, error: "sender-not-allowed", message }
    }

    pub(super) fn method() -> Self {
        let message = format!("events are taken with {METHODS}; send one of those");
        Self { status: StatusCode::METHOD_NOT_ALLOWED, error: "method-not-allowed", message }
    }

    /// Passes on why an event is none.
    pub(super) fn invalid(error: &Error) -> Self {
        Self::bad_request(error.to_string())
    }

    pub(super) fn into_response(self) -> Response<Bytes> {
        let mut response = Response::new(Value::Object(object(self.error, self.message)).to_string().into());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static(METHODS));
        }
        response
    }
}

/// Returns the status that a sender is owed, as it would be for any other request.
pub(super) fn status(error: &Error) -> StatusCode {
    match error.kind() {
        ErrorKind::InvalidEvent { .. } | ErrorKind::InvalidBody { .. } => StatusCode::BAD_REQUEST,
        ErrorKind::UnknownFunction { .. } => StatusCode::NOT_FOUND,
        ErrorKind::PayloadTooLarge { what: Payload::Event, .. } => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::Throttled { .. }
        | ErrorKind::ShuttingDown
        | ErrorKind::MemoryExceeded { scope: MemoryScope::Runtime, .. } => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
        _ if error.is_function_error() => StatusCode::BAD_GATEWAY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Returns in how many whole seconds a sender may come again, where that makes sense.
pub(super) fn retry_after(error: &Error) -> Option<u64> {
    let after = match error.kind() {
        ErrorKind::ShuttingDown => AFTER_SHUTDOWN,
        ErrorKind::MemoryExceeded { scope: MemoryScope::Runtime, .. } => SOON,
        _ => error.retry_after()?,
    };
    // Rounded up: who comes back too early comes in vain.
    Some((after.as_secs() + u64::from(after.subsec_nanos() > 0)).max(1))
}

/// Describes an error to a sender, who learns nothing of the inside: what a guest said and what a setting is called
/// are for reports and logs.
pub(super) fn described(error: &Error) -> Map<String, Value> {
    let mut described = object(error.kind().name(), message(error));
    if let Some(report) = error.report() {
        described.insert("request_id".to_owned(), report.request_id.to_string().into());
    }
    described
}

fn message(error: &Error) -> String {
    let message = match (error.kind(), status(error)) {
        (ErrorKind::InvalidEvent { attribute, reason }, _) => return format!("{attribute}: {reason}"),
        (ErrorKind::PayloadTooLarge { what: Payload::Event, limit, .. }, _) => {
            return format!("the event's body is larger than the limit of {limit} bytes; send less");
        }
        (ErrorKind::UnknownFunction { .. }, _) => "no function takes these events",
        (_, StatusCode::BAD_REQUEST) => "the body cannot be read",
        (_, StatusCode::SERVICE_UNAVAILABLE) => {
            "too much is going on, or the service is ending; try again later"
        }
        (_, StatusCode::GATEWAY_TIMEOUT) => "the function took too long",
        (_, StatusCode::BAD_GATEWAY) => "the function failed, or gave no valid answer",
        _ => "the service failed",
    };
    message.to_owned()
}

fn object(error: &str, message: String) -> Map<String, Value> {
    Map::from_iter([("error".to_owned(), error.into()), ("message".to_owned(), message.into())])
}
