//! What a handler says when it cannot answer.

use std::fmt;

use crate::error::Error;
use crate::escape::Escaped;

/// A handler's own failure: what kind, why, and whether trying again may help.
///
/// Every standard error becomes one with `?`; its kind is then `error`, and it is retryable, as nothing is known of it; an
/// [`Error`](crate::Error) of this crate stays what it was. What would fail again each time should say so: a submitted
/// event is tried again after what is retryable, and given up at once after what is not.
///
/// ```
/// use fnhost::Failure;
///
/// # fn read(text: &str) -> Result<u32, Failure> {
/// let count = text.parse::<u32>().map_err(|error| Failure::new("unreadable", error.to_string()))?;
/// # Ok(count) }
/// assert!(!read("soup").unwrap_err().is_retryable());
/// let unknown: Failure = std::io::Error::other("the database does not answer").into();
/// assert!(unknown.is_retryable());
/// let failure = Failure::new("out-of-stock", "no more of sku 7").with_retryable(true);
/// assert_eq!(failure.to_string(), "out-of-stock: no more of sku 7");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    kind: String,
    message: String,
    retryable: bool,
}

impl Failure {
    /// Makes a failure that is not retryable.
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind: kind.into(), message: message.into(), retryable: false }
    }

    /// Says whether trying again may help; false unless set.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.retryable = retryable;
        self
    }

    /// Returns the kind as the handler gave it.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns the message as the handler gave it.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Tells whether the handler said that trying again may help.
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// Returns the failure as JSON, as the bytes contract hands it to a guest.
    pub(crate) fn to_json(&self) -> String {
        serde_json::json!({ "kind": self.kind, "message": self.message, "retryable": self.retryable })
            .to_string()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Escaped(&self.kind), Escaped(&self.message))
    }
}

// `Failure` itself is no `std::error::Error`, so that this conversion can exist and `?` works in handlers.
impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let known = (&error as &dyn std::any::Any).downcast_ref::<Error>();
        let retryable = known.is_none_or(Error::is_retryable);
        Self::new("error", error.to_string()).with_retryable(retryable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn an_error_of_this_crate_stays_what_it_was() {
        let invalid = Error::from(ErrorKind::InvalidBody { reason: "no JSON".into() });
        assert!(!Failure::from(invalid).is_retryable());
        let away = Error::from(ErrorKind::Broker { reason: "the server is away".into() });
        assert!(Failure::from(away).is_retryable());
    }
}
