//! When a token is valid: `exp`, `nbf` and `iat`, in seconds since the Unix epoch.

use std::time::Duration;

use crate::http::auth::jwt::json::Members;
use crate::http::auth::jwt::refusal::Refusal;

/// The last second of the year 9999; no honest token is valid for longer.
const LAST: f64 = 253_402_300_799.0;

/// A moment, and how tokens are held against it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Since the Unix epoch.
    pub(super) now: Duration,
    pub(super) leeway: Duration,
    pub(super) needs_expiry: bool,
}

impl Window {
    pub(super) fn check(self, claims: &Members) -> Result<(), Refusal> {
        let (expiry, start, issued) = (date(claims, "exp")?, date(claims, "nbf")?, date(claims, "iat")?);
        self.check_expiry(expiry)?;
        let leeway = self.leeway;
        if let Some(ahead) = self.ahead(start) {
            return Err(Refusal::NotYet { ahead, leeway });
        }
        self.ahead(issued).map_or(Ok(()), |ahead| Err(Refusal::IssuedLater { ahead, leeway }))
    }

    fn check_expiry(self, expiry: Option<Duration>) -> Result<(), Refusal> {
        match expiry {
            None if self.needs_expiry => Err(Refusal::NoClaim("exp".to_owned())),
            Some(expiry) if expiry.saturating_add(self.leeway) <= self.now => {
                Err(Refusal::Expired { ago: self.now - expiry, leeway: self.leeway })
            }
            _ => Ok(()),
        }
    }

    /// Returns how far ahead a moment is, if by more than the leeway.
    fn ahead(self, moment: Option<Duration>) -> Option<Duration> {
        moment?.checked_sub(self.now).filter(|ahead| *ahead > self.leeway)
    }
}

/// Reads a date; one that is no date is never taken for one that is not there.
fn date(claims: &Members, name: &str) -> Result<Option<Duration>, Refusal> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| seconds.is_sign_positive() && *seconds <= LAST);
    match seconds {
        Some(seconds) => Ok(Some(Duration::from_secs_f64(seconds))),
        None => Err(Refusal::WrongType(name.to_owned(), "no number of seconds from 1970 to 9999")),
    }
}
