//! How what went wrong becomes an answer: `{"error": ..., "message": ..., "request_id": ...}`.
//!
//! A client learns what it can do about it, and nothing of the inside: what a guest said, what a setting is called
//! and what the host's system answered are for reports and logs.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, MemoryScope, Payload};
use crate::http::body::Body;

/// When another process has usually taken over.
const AFTER_SHUTDOWN: Duration = Duration::from_secs(5);
/// When a place has usually become free.
pub(crate) const SOON: Duration = Duration::from_secs(1);

/// Why a request is not served.
#[derive(Debug)]
#[must_use]
pub(crate) struct Refusal(Box<Parts>);

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    name: &'static str,
    message: Cow<'static, str>,
    retry_after: Option<Duration>,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, name: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Parts { status, name, message: message.into(), retry_after: None, header: None }))
    }

    pub(crate) fn retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.0.retry_after = retry_after;
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.header = Some((name, value));
        self
    }

    /// Says what a client may know of an error; all of it where errors are exposed.
    pub(crate) fn of(error: &Error, exposed: bool) -> Self {
        let (status, message) = told(error.kind());
        let message = if exposed { Cow::Owned(error.to_string()) } else { message };
        Self::new(status, error.kind().name(), message).retry_after(retry_after(error))
    }

    /// Says that a body is larger than may be.
    pub(crate) fn too_large(limit: u64) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload-too-large", too_large(limit))
    }

    pub(crate) fn into_response(self, request_id: &HeaderValue) -> Response<Body> {
        self.into_bytes(request_id.to_str().unwrap_or_default()).map(Body::from)
    }

    pub(crate) fn into_bytes(self, request_id: &str) -> Response<Bytes> {
        let (head, said) = self.into_parts(Some(request_id));
        head.map(|()| Value::Object(said).to_string().into())
    }

    /// Returns status and headers, and what is said in the body.
    pub(crate) fn into_parts(self, request_id: Option<&str>) -> (Response<()>, Map<String, Value>) {
        let Parts { status, name, message, retry_after, header } = *self.0;
        let mut head = Response::new(());
        *head.status_mut() = status;
        let headers = head.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(retry_after.map(|after| (RETRY_AFTER, seconds(after))));
        headers.extend(header);
        let named = [("error", Some(name)), ("message", Some(&*message)), ("request_id", request_id)];
        let said = named.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into())));
        (head, said.collect())
    }
}

/// Rounds up to whole seconds, one at least: who comes back too early comes in vain.
fn seconds(after: Duration) -> HeaderValue {
    let whole = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    whole.max(1).into()
}

fn retry_after(error: &Error) -> Option<Duration> {
    match error.kind() {
        ErrorKind::ShuttingDown => Some(AFTER_SHUTDOWN),
        ErrorKind::MemoryExceeded { scope: MemoryScope::Runtime, .. } => Some(SOON),
        _ => error.retry_after(),
    }
}

fn too_large(limit: u64) -> String {
    format!("the body is larger than the limit of {limit} bytes; send less")
}

/// Tells the status, and what a client may know.
fn told(kind: &ErrorKind) -> (StatusCode, Cow<'static, str>) {
    let (status, message) = match kind {
        ErrorKind::UnknownFunction { .. } => (StatusCode::NOT_FOUND, "no function stands behind this route"),
        ErrorKind::InvalidEvent { attribute, reason } => {
            return (StatusCode::BAD_REQUEST, format!("{attribute}: {reason}").into());
        }
        ErrorKind::InvalidBody { .. } => (StatusCode::BAD_REQUEST, "the body cannot be read"),
        ErrorKind::Throttled { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, "too much is going on; try again later")
        }
        ErrorKind::TimedOut { .. } => (StatusCode::GATEWAY_TIMEOUT, "the function took too long"),
        ErrorKind::MemoryExceeded { scope: MemoryScope::Runtime, .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, "no memory is left now; try again later")
        }
        ErrorKind::PayloadTooLarge { what: Payload::Event | Payload::Published, limit, .. } => {
            return (StatusCode::PAYLOAD_TOO_LARGE, too_large(*limit).into());
        }
        ErrorKind::Broker { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, "the request cannot be kept now; try again later")
        }
        ErrorKind::ShuttingDown => {
            (StatusCode::SERVICE_UNAVAILABLE, "the service is shutting down; try again later")
        }
        ErrorKind::InvalidAnswer { .. }
        | ErrorKind::PayloadTooLarge { what: Payload::Response | Payload::HostCall, .. } => {
            (StatusCode::BAD_GATEWAY, "the function gave no valid answer")
        }
        ErrorKind::MemoryExceeded { .. }
        | ErrorKind::TableExceeded { .. }
        | ErrorKind::FuelSpent { .. }
        | ErrorKind::Trapped { .. }
        | ErrorKind::Exited { .. }
        | ErrorKind::Failed(_)
        | ErrorKind::InitFailed { .. }
        | ErrorKind::Panicked { .. } => (StatusCode::BAD_GATEWAY, "the function failed"),
        ErrorKind::InvalidConfiguration { .. }
        | ErrorKind::PayloadTooLarge { what: Payload::Code, .. }
        | ErrorKind::Compile { .. }
        | ErrorKind::UnknownContract { .. }
        | ErrorKind::Link { .. }
        | ErrorKind::Cancelled
        | ErrorKind::Engine { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "the service failed"),
    };
    (status, message.into())
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::block_on::block_on;
    use crate::error::{Failure, Phase, ThrottleReason};

    fn of(kind: ErrorKind) -> Refusal {
        Refusal::of(&kind.into(), false)
    }

    fn trapped() -> ErrorKind {
        ErrorKind::Trapped { message: "unreachable".into(), backtrace: vec!["secret::path".into()] }
    }

    #[test]
    fn each_kind_has_its_status() {
        let throttled = || ErrorKind::Throttled {
            reason: ThrottleReason::NoSlot,
            retry_after: Duration::from_millis(1_001),
        };
        let too_large = |what| ErrorKind::PayloadTooLarge { what, limit: 7, size: 8 };
        let memory = |scope| ErrorKind::MemoryExceeded { scope, limit: 1, asked: 2 };
        for (kind, status, retry_after) in [
            (ErrorKind::UnknownFunction { target: "a".into(), hint: "b".into() }, 404, None),
            (ErrorKind::InvalidEvent { attribute: "a".into(), reason: "b".into() }, 400, None),
            (throttled(), 503, Some("2")),
            (ErrorKind::TimedOut { phase: Phase::Handler, limit: SOON }, 504, None),
            (too_large(Payload::Event), 413, None),
            (too_large(Payload::Response), 502, None),
            (memory(MemoryScope::Function), 502, None),
            (memory(MemoryScope::Runtime), 503, Some("1")),
            (trapped(), 502, None),
            (ErrorKind::Failed(Failure::new("a", "b")), 502, None),
            (ErrorKind::ShuttingDown, 503, Some("5")),
            (ErrorKind::Engine { reason: "a".into() }, 500, None),
        ] {
            let name = kind.name();
            let response = of(kind).into_response(&HeaderValue::from_static("7"));
            assert_eq!(response.status().as_u16(), status, "{name}");
            let said = response.headers().get(RETRY_AFTER).map(|value| value.to_str().unwrap());
            assert_eq!(said, retry_after, "{name}");
        }
    }

    #[test]
    fn the_body_says_what_happened_and_under_which_id() {
        let response = Refusal::too_large(7).into_response(&HeaderValue::from_static("id-7"));
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        let body = block_on(response.into_body().collect()).unwrap().to_bytes();
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&json["error"], &json["request_id"]), (&"payload-too-large".into(), &"id-7".into()));
        assert!(json["message"].as_str().unwrap().contains("7 bytes"));
    }

    #[test]
    fn what_a_guest_said_is_told_only_when_errors_are_exposed() {
        let own = [
            trapped(),
            ErrorKind::Failed(Failure::new("secret", "secret")),
            ErrorKind::Exited { code: 1, stderr: "secret".into() },
            ErrorKind::InitFailed { message: "secret".into() },
            ErrorKind::Panicked { message: "secret".into() },
            ErrorKind::InvalidAnswer { reason: "secret".into() },
            ErrorKind::Engine { reason: "secret".into() },
            ErrorKind::UnknownFunction { target: "secret".into(), hint: "b".into() },
        ];
        for error in own.map(Error::from) {
            assert!(!Refusal::of(&error, false).0.message.contains("secret"), "{error}");
            assert!(Refusal::of(&error, true).0.message.contains("secret"), "{error}");
        }
    }
}
