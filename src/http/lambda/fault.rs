//! Why there was no invocation: errors of the service, as its clients know them.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderName, Response, StatusCode};
use serde_json::json;

use crate::error::{Error, ErrorKind, Payload, Phase, ThrottleReason};
use crate::http::body::Body;
use crate::http::lambda::answer::JSON;

/// By this a client finds the exception to raise.
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// Which bound was met, in the words of the API.
const OF_THE_FUNCTION: &str = "ReservedFunctionConcurrentInvocationLimitExceeded";
const OF_ALL: &str = "ConcurrentInvocationLimitExceeded";

/// A full queue has usually moved on by then.
const SOON: Duration = Duration::from_secs(1);

/// An error of the service.
#[derive(Debug)]
pub(super) struct Fault {
    status: StatusCode,
    name: &'static str,
    message: String,
    throttle: Option<Throttle>,
}

#[derive(Debug)]
struct Throttle {
    reason: &'static str,
    retry_after: Duration,
}

impl Fault {
    pub(super) fn new(status: StatusCode, name: &'static str, message: impl Into<String>) -> Self {
        Self { status, name, message: message.into(), throttle: None }
    }

    pub(super) fn invalid_parameter(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidParameterValueException", message)
    }

    pub(super) fn invalid_content(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidRequestContentException", message)
    }

    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDeniedException", message)
    }

    pub(super) fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", message)
    }

    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "ServiceException", message)
    }

    fn throttled(reason: &'static str, retry_after: Duration, message: String) -> Self {
        let throttle = Some(Throttle { reason, retry_after });
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self { throttle, ..Self::new(status, "TooManyRequestsException", message) }
    }

    /// Returns the exception's name and its message.
    pub(super) fn into_parts(self) -> (&'static str, String) {
        (self.name, self.message)
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        headers.insert(ERROR_TYPE, HeaderValue::from_static(self.name));
        if let Some(throttle) = self.throttle {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(throttle.retry_after)));
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }

    fn body(&self) -> Bytes {
        let whose = if self.status.is_server_error() { "Service" } else { "User" };
        // The model spells it one way for some errors and the other way for others, and clients read what it says.
        let mut body = json!({ "Type": whose, "Message": self.message, "message": self.message });
        if let Some(throttle) = &self.throttle {
            body["Reason"] = throttle.reason.into();
        }
        body.to_string().into()
    }
}

/// Rounds up, as who comes too early only comes again.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

impl From<&Error> for Fault {
    fn from(error: &Error) -> Self {
        let message = error.to_string();
        match error.kind() {
            ErrorKind::UnknownFunction { target, hint } => Self::new(
                StatusCode::NOT_FOUND,
                "ResourceNotFoundException",
                format!("Function not found: {target}; {hint}"),
            ),
            ErrorKind::Throttled { reason, retry_after } => {
                Self::throttled(bound(*reason), *retry_after, message)
            }
            ErrorKind::TimedOut { phase: Phase::Queue, .. } => Self::throttled(OF_ALL, SOON, message),
            ErrorKind::PayloadTooLarge { what: Payload::Event, .. } => Self::too_large(message),
            ErrorKind::InvalidEvent { .. } => Self::invalid_parameter(message),
            ErrorKind::InvalidBody { .. } => Self::invalid_content(message),
            _ => Self::internal(message),
        }
    }
}

fn bound(reason: ThrottleReason) -> &'static str {
    match reason {
        ThrottleReason::QueueFull { .. } => OF_THE_FUNCTION,
        ThrottleReason::BuffersFull { .. } | ThrottleReason::BrokerFull { .. } | ThrottleReason::NoSlot => {
            OF_ALL
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: ErrorKind) -> (u16, &'static str, Option<&'static str>) {
        let fault = Fault::from(&Error::from(kind));
        (fault.status.as_u16(), fault.name, fault.throttle.map(|throttle| throttle.reason))
    }

    #[test]
    fn errors_have_the_names_that_clients_know() {
        let text = String::new;
        let throttled = |reason| ErrorKind::Throttled { reason, retry_after: SOON };
        let too_many = "TooManyRequestsException";
        for (kind, expected) in [
            (
                ErrorKind::UnknownFunction { target: text(), hint: text() },
                (404, "ResourceNotFoundException", None),
            ),
            (throttled(ThrottleReason::QueueFull { limit: 1 }), (429, too_many, Some(OF_THE_FUNCTION))),
            (throttled(ThrottleReason::NoSlot), (429, too_many, Some(OF_ALL))),
            (throttled(ThrottleReason::BrokerFull { events: 1, bytes: 2 }), (429, too_many, Some(OF_ALL))),
            (ErrorKind::TimedOut { phase: Phase::Queue, limit: SOON }, (429, too_many, Some(OF_ALL))),
            (
                ErrorKind::PayloadTooLarge { what: Payload::Event, limit: 1, size: 2 },
                (413, "RequestTooLargeException", None),
            ),
            (
                ErrorKind::InvalidEvent { attribute: text(), reason: text() },
                (400, "InvalidParameterValueException", None),
            ),
            (ErrorKind::InvalidBody { reason: text() }, (400, "InvalidRequestContentException", None)),
            (ErrorKind::ShuttingDown, (500, "ServiceException", None)),
            (ErrorKind::Engine { reason: text() }, (500, "ServiceException", None)),
        ] {
            assert_eq!(of(kind), expected);
        }
    }

    #[test]
    fn a_fault_is_a_response_with_type_and_message() {
        let fault = Fault::throttled(OF_ALL, Duration::from_millis(1_200), "too \"much\"".into());
        let body: serde_json::Value = serde_json::from_slice(&fault.body()).unwrap();
        assert_eq!((&body["Type"], &body["Reason"]), (&"User".into(), &OF_ALL.into()));
        assert_eq!((&body["Message"], &body["message"]), (&"too \"much\"".into(), &"too \"much\"".into()));
        let response = fault.into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["x-amzn-errortype"], "TooManyRequestsException");
        assert_eq!(response.headers()["retry-after"], "2");
        let body = Fault::internal("no").body();
        assert!(String::from_utf8_lossy(&body).contains(r#""Type":"Service""#));
    }
}
