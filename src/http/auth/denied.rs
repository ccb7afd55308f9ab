//! Why a request does not pass.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use http::{HeaderValue, StatusCode};

/// The challenge of whoever names none: a 401 has to carry one.
const CHALLENGE: &str = "Bearer";

/// Why a request does not pass: a status, a reason that the client is shown, and what it may try.
///
/// ```
/// use fnhost::http::Denied;
/// use http::HeaderValue;
///
/// let denied = Denied::unauthorized("who are you?").with_challenge(HeaderValue::from_static("Basic realm=\"shop\""));
/// assert_eq!((denied.status().as_u16(), denied.reason()), (401, "who are you?"));
/// assert_eq!(Denied::forbidden("not yours").status(), 403);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a denial does nothing until an authorizer answers it"]
pub struct Denied {
    status: StatusCode,
    reason: Cow<'static, str>,
    challenge: Option<HeaderValue>,
    retry_after: Option<Duration>,
}

impl Denied {
    /// Denies who did not prove who they are: status 401, with the challenge `Bearer` unless another is set.
    pub fn unauthorized(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, reason.into()).with_challenge(HeaderValue::from_static(CHALLENGE))
    }

    /// Denies who is known, and may not: status 403.
    pub fn forbidden(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, reason.into())
    }

    /// Denies as the authorizer itself failed: status 500, with nothing that a client could learn from.
    pub fn failed() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Cow::Borrowed("the authorizer failed"))
    }

    /// Denies as the authorizer has no time now: status 503, to be tried again later.
    pub fn busy(retry_after: Duration) -> Self {
        let busy = Self::new(StatusCode::SERVICE_UNAVAILABLE, Cow::Borrowed("the authorizer is busy"));
        Self { retry_after: Some(retry_after), ..busy }
    }

    fn new(status: StatusCode, reason: Cow<'static, str>) -> Self {
        Self { status, reason, challenge: None, retry_after: None }
    }

    /// Sets what the client has to do, as `WWW-Authenticate` says it; `Bearer` by default for a 401, else none.
    pub fn with_challenge(mut self, challenge: HeaderValue) -> Self {
        self.challenge = Some(challenge);
        self
    }

    /// Returns the status of the answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the reason that the client is shown.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Returns the value of `WWW-Authenticate`.
    pub fn challenge(&self) -> Option<&HeaderValue> {
        self.challenge.as_ref()
    }

    /// Returns when trying again makes sense; none unless the authorizer is busy.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "denied with status {}: {}", self.status.as_u16(), self.reason)
    }
}

impl std::error::Error for Denied {}
