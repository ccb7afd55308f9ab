//! Why a request or an event is refused, as a status and a JSON object.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, MemoryScope, Payload, Phase};

/// The methods that carry events.
pub(super) const METHODS: &str = "POST, PUT";

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

/// Returns the status that a sender of events is owed: 4xx where the event must change, 5xx and 429 where it may be
/// sent again as it is.
pub(super) fn status(error: &Error) -> StatusCode {
    match error.kind() {
        ErrorKind::InvalidEvent { .. } | ErrorKind::InvalidBody { .. } => StatusCode::BAD_REQUEST,
        ErrorKind::UnknownFunction { .. } => StatusCode::NOT_FOUND,
        ErrorKind::PayloadTooLarge { what: Payload::Event, .. } => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::TimedOut { phase: Phase::Init | Phase::Handler, .. } => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Failed(failure) if !failure.is_retryable() => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::Failed(_)
        | ErrorKind::TimedOut { .. }
        | ErrorKind::ShuttingDown
        | ErrorKind::MemoryExceeded { scope: MemoryScope::Runtime, .. } => StatusCode::SERVICE_UNAVAILABLE,
        _ if error.is_function_error() => StatusCode::BAD_GATEWAY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Describes an error to a sender: what concerns the event or was said by the function in full, the rest by its name.
pub(super) fn described(error: &Error) -> Map<String, Value> {
    let message = match error.kind() {
        ErrorKind::InvalidEvent { .. }
        | ErrorKind::InvalidBody { .. }
        | ErrorKind::Failed(_)
        | ErrorKind::PayloadTooLarge { what: Payload::Event, .. } => error.to_string(),
        // What else an error says is for the host: names of other functions, backtraces, settings.
        _ => "there is no answer to the event; the host's log says why".to_owned(),
    };
    let mut described = object(error.kind().name(), message);
    if let Some(report) = error.report() {
        described.insert("request_id".to_owned(), report.request_id.to_string().into());
    }
    described
}

fn object(error: &str, message: String) -> Map<String, Value> {
    Map::from_iter([("error".to_owned(), error.into()), ("message".to_owned(), message.into())])
}
