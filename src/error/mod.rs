//! Why there is no answer, with its report.

pub(crate) mod failure;
pub(crate) mod kind;

use std::fmt;
use std::time::Duration;

pub use self::failure::Failure;
pub use self::kind::{ErrorKind, MemoryScope, Payload, Phase, ThrottleReason};
use crate::context::Fault;
use crate::report::Report;

/// Why there is no answer.
///
/// One pointer wide. [`kind`](Self::kind) says what happened, the predicates what to do next, and an error
/// of an invocation carries its [`report`](Self::report).
pub struct Error(Box<Parts>);

struct Parts {
    kind: ErrorKind,
    report: Option<Box<Report>>,
}

impl Error {
    /// Returns what happened.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Returns the report of the invocation; none for errors outside of one.
    pub fn report(&self) -> Option<&Report> {
        self.0.report.as_deref()
    }

    /// Returns the text that the guest gave, exactly as it gave it; none where the guest said nothing.
    ///
    /// `Display` shows the same text escaped and cut. Whoever prints this must escape it.
    pub fn message(&self) -> Option<&str> {
        match self.kind() {
            ErrorKind::Failed(failure) => Some(failure.message()),
            ErrorKind::Trapped { message, .. }
            | ErrorKind::InitFailed { message }
            | ErrorKind::Panicked { message } => Some(message),
            ErrorKind::Exited { stderr, .. } => Some(stderr),
            _ => None,
        }
    }

    /// Tells whether a deadline passed.
    pub fn is_timeout(&self) -> bool {
        matches!(self.kind(), ErrorKind::TimedOut { .. })
    }

    /// Tells whether the event was refused because too much is going on.
    pub fn is_throttled(&self) -> bool {
        matches!(self.kind(), ErrorKind::Throttled { .. })
    }

    /// Tells whether the guest, and not the caller or the runtime, is to blame.
    pub fn is_function_error(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::Failed(_)
                | ErrorKind::InitFailed { .. }
                | ErrorKind::Trapped { .. }
                | ErrorKind::Exited { .. }
                | ErrorKind::Panicked { .. }
                | ErrorKind::InvalidAnswer { .. }
                | ErrorKind::FuelSpent { .. }
                | ErrorKind::TableExceeded { .. }
                | ErrorKind::MemoryExceeded { scope: MemoryScope::Function, .. }
                | ErrorKind::TimedOut { phase: Phase::Init | Phase::Handler, .. }
                | ErrorKind::PayloadTooLarge { what: Payload::Response | Payload::HostCall, .. }
        )
    }

    /// Tells whether the same event may succeed later without any change.
    pub fn is_retryable(&self) -> bool {
        match self.kind() {
            ErrorKind::Failed(failure) => failure.is_retryable(),
            ErrorKind::Throttled { .. }
            | ErrorKind::TimedOut { .. }
            | ErrorKind::InitFailed { .. }
            | ErrorKind::Broker { .. }
            | ErrorKind::MemoryExceeded { scope: MemoryScope::Runtime, .. } => true,
            _ => false,
        }
    }

    /// Returns when trying again makes sense; none unless throttled.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.kind() {
            ErrorKind::Throttled { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }

    pub(crate) fn with_report(kind: ErrorKind, report: Box<Report>) -> Self {
        Self(Box::new(Parts { kind, report: Some(report) }))
    }

    pub(crate) fn into_kind(self) -> ErrorKind {
        self.0.kind
    }

    pub(crate) fn configuration(reason: impl Into<String>) -> Self {
        ErrorKind::InvalidConfiguration { reason: reason.into() }.into()
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self(Box::new(Parts { kind, report: None }))
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        ErrorKind::InvalidEvent { attribute: fault.attribute.into(), reason: fault.reason }.into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.kind.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A `main` that ends with an error prints it so: a person is to read it.
        if !f.alternate() {
            return write!(f, "{} ({})", self.0.kind, self.0.kind.name());
        }
        f.debug_struct("Error").field("kind", &self.0.kind).field("report", &self.0.report).finish()
    }
}

impl std::error::Error for Error {}
