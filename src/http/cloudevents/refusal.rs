//! Why a request carries no event.

use http::header::ALLOW;
use http::{HeaderValue, StatusCode};

use crate::http::answer::Refusal;

/// The methods that carry events.
pub(super) const METHODS: &str = "POST, PUT";

pub(super) fn bad_request(message: String) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "bad-request", message)
}

pub(super) fn media_type(message: String) -> Refusal {
    Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", message)
}

pub(super) fn sender() -> Refusal {
    let message = "deliveries of this sender are not wanted; ask the host to allow it";
    Refusal::new(StatusCode::FORBIDDEN, "sender-not-allowed", message)
}

pub(super) fn method() -> Refusal {
    let message = format!("events are taken with {METHODS}; send one of those");
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", message)
        .header(ALLOW, HeaderValue::from_static(METHODS))
}
