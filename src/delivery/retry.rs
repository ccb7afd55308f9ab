//! When an event is tried again, and when it is given up.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::event::Response;
use crate::wall::Moment;

/// What a handler answers in place of a failure, if it answers in the way of HTTP.
const STATUS: &str = "http.status";
/// Between attempts unless set.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// Between attempts that did not come as far as to the handler.
const REFUSED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// How often a submitted event is tried, with which pauses, and how old it may become.
///
/// Only what the function did wrong counts as an attempt. Throttling, a version that was removed, a lack of memory
/// on the host do not: the event goes back, from one second on to five minutes, until it is too old.
///
/// ```
/// use std::time::Duration;
/// use fnhost::{Function, Retry};
///
/// let function = Function::wasm("resize", "(module)").retry(
///     Retry::new().attempts(5).backoff(Duration::from_secs(2), Duration::from_secs(60)).max_age(Duration::from_secs(3600)),
/// );
/// # drop(function);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a policy does nothing until a function or a trigger has it"]
pub struct Retry {
    attempts: u32,
    /// The bounds of the pause, if they are set.
    pauses: Option<(Duration, Duration)>,
    max_age: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self::new()
    }
}

impl Retry {
    /// Makes the usual policy: 3 attempts, pauses from 1 second to 5 minutes, 6 hours.
    pub fn new() -> Self {
        Self { attempts: 3, pauses: None, max_age: Duration::from_secs(6 * 3600) }
    }

    /// Makes a policy of a single attempt.
    pub fn never() -> Self {
        Self::new().attempts(1)
    }

    /// Sets how often an event is tried in all; 3 unless set, at least 1.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets the bounds of the pause; 1 second and 5 minutes unless set.
    ///
    /// Before attempt `n + 1` it is a random time between the first bound and that bound doubled `n` times, but
    /// never beyond the second.
    pub fn backoff(mut self, min: Duration, max: Duration) -> Self {
        self.pauses = Some((min, max));
        self
    }

    /// Sets the bounds of the pause unless they are set.
    pub(crate) fn or_backoff(mut self, min: Duration, max: Duration) -> Self {
        self.pauses.get_or_insert((min, max));
        self
    }

    /// Tells whether the bounds of the pause are set.
    pub(crate) fn has_backoff(&self) -> bool {
        self.pauses.is_some()
    }

    fn pauses(&self) -> (Duration, Duration) {
        self.pauses.unwrap_or(PAUSES)
    }

    /// Sets how old an event may be when an attempt begins; 6 hours unless set. One that was put off ages from when it
    /// is due.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        if self.attempts == 0 {
            return Err("attempts is 0; give at least 1".into());
        }
        let (min, max) = self.pauses();
        if min > max {
            return Err(format!("backoff from {min:?} to {max:?} is empty; give the smaller bound first"));
        }
        if self.max_age.is_zero() {
            return Err("max_age is 0; give some time".into());
        }
        Ok(())
    }

    /// Tells whether an event may not be tried any more.
    pub(crate) fn is_too_old(&self, put: Moment, now: Moment) -> bool {
        now.since(put) >= self.max_age
    }

    /// Returns the pause after so many failures; `random` is any number, each as likely as the other.
    pub(crate) fn pause_after(&self, failures: u32, random: u64) -> Duration {
        pause(self.pauses(), failures, random)
    }

    /// Decides what becomes of an event that was tried; `random` is any number, each as likely as the other.
    pub(crate) fn judge(&self, tried: &Tried, random: u64) -> Next {
        let refusals = tried.refusals();
        let counted = match tried.fault {
            Fault::Final => return Next::Dead(Death::NotRetryable),
            Fault::Function => tried.attempts + 1,
            Fault::Host => tried.attempts,
        };
        if counted >= self.attempts {
            return Next::Dead(Death::RetriesExhausted);
        }
        let pause = match tried.fault {
            Fault::Host => pause(REFUSED, refusals, random),
            Fault::Final | Fault::Function => self.pause_after(counted, random),
        };
        let pause = pause.max(tried.retry_after.unwrap_or_default());
        let due = tried.now.plus(pause);
        if self.is_too_old(tried.put, due) {
            return Next::Dead(Death::EventAgeExceeded);
        }
        Next::Again { due, attempts: counted, refusals }
    }
}

/// Returns a time between the first bound and that bound doubled `times` times, but never beyond the second.
fn pause((min, max): (Duration, Duration), times: u32, random: u64) -> Duration {
    let most =
        2_u32.checked_pow(times).and_then(|factor| min.checked_mul(factor)).map_or(max, |most| most.min(max));
    let span = u64::try_from(most.saturating_sub(min).as_millis()).unwrap_or(u64::MAX - 1);
    // The upper half of the product: without the bias of a remainder, and without a division.
    let part = (u128::from(random) * (u128::from(span) + 1)) >> 64;
    min + Duration::from_millis(part as u64)
}

/// How an attempt ended that was no success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The function is to blame, and may do better.
    Function,
    /// The event did not come as far as to the handler, or the host failed it.
    Host,
    /// It would be the same every time.
    Final,
}

/// An attempt that was no success, and what went before it.
pub(crate) struct Tried {
    pub(crate) fault: Fault,
    pub(crate) retry_after: Option<Duration>,
    /// Attempts before this one that counted.
    pub(crate) attempts: u32,
    /// Attempts since then that did not.
    pub(crate) refusals: u32,
    pub(crate) put: Moment,
    pub(crate) now: Moment,
}

impl Tried {
    /// Returns how many attempts in a row did not count, with this one.
    pub(crate) fn refusals(&self) -> u32 {
        match self.fault {
            Fault::Host => self.refusals + 1,
            Fault::Function | Fault::Final => 0,
        }
    }
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Again { due: Moment, attempts: u32, refusals: u32 },
    Dead(Death),
}

/// Why an event was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Death {
    /// It failed as often as it may.
    RetriesExhausted,
    /// It became too old.
    EventAgeExceeded,
    /// The function said, or the error means, that trying again would not help.
    NotRetryable,
    /// It came of a chain of more than 16 events.
    RecursiveInvocation,
    /// It cannot be read; another version of this library may have kept it.
    Unreadable,
}

impl Death {
    /// Returns the name, as it stands in records of destinations.
    pub fn name(self) -> &'static str {
        match self {
            Self::RetriesExhausted => "RetriesExhausted",
            Self::EventAgeExceeded => "EventAgeExceeded",
            Self::NotRetryable => "NotRetryable",
            Self::RecursiveInvocation => "RecursiveInvocation",
            Self::Unreadable => "Unreadable",
        }
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Tells whose fault an error is.
pub(crate) fn fault_of(error: &Error) -> Fault {
    match error.kind() {
        ErrorKind::Failed(failure) if !failure.is_retryable() => Fault::Final,
        ErrorKind::InvalidEvent { .. }
        | ErrorKind::InvalidBody { .. }
        | ErrorKind::PayloadTooLarge { .. } => Fault::Final,
        _ if error.is_function_error() => Fault::Function,
        _ => Fault::Host,
    }
}

/// Tells whether an answer is a failure in the way of HTTP, and which.
pub(crate) fn fault_in(response: &Response) -> Option<(Fault, String)> {
    let status: u16 = response.attribute(STATUS)?.parse().ok()?;
    let fault = match status {
        408 | 425 | 429 | 500.. => Fault::Function,
        400.. => Fault::Final,
        _ => return None,
    };
    Some((fault, format!("answered with http status {status}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Failure, Phase};

    const SECOND: Duration = Duration::from_secs(1);

    fn tried(fault: Fault, attempts: u32) -> Tried {
        Tried { fault, retry_after: None, attempts, refusals: 0, put: Moment(0), now: Moment(0) }
    }

    /// A fixed sequence of numbers, each as likely as the other.
    fn randoms(count: u64) -> impl Iterator<Item = u64> {
        (0..count).map(|n| {
            let mut z = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z ^ (z >> 31)
        })
    }

    #[test]
    fn attempts_are_exact() {
        let retry = Retry::new().attempts(3);
        let next = |attempts| retry.judge(&tried(Fault::Function, attempts), 0);
        assert!(matches!(next(0), Next::Again { attempts: 1, .. }));
        assert!(matches!(next(1), Next::Again { attempts: 2, .. }));
        assert_eq!(next(2), Next::Dead(Death::RetriesExhausted));
        assert_eq!(Retry::never().judge(&tried(Fault::Function, 0), 0), Next::Dead(Death::RetriesExhausted));
    }

    #[test]
    fn what_is_final_is_not_tried_again() {
        assert_eq!(Retry::new().judge(&tried(Fault::Final, 0), 0), Next::Dead(Death::NotRetryable));
    }

    #[test]
    fn what_the_host_refuses_does_not_count() {
        let retry = Retry::never();
        let next = retry.judge(&Tried { refusals: 7, ..tried(Fault::Host, 0) }, 0);
        assert!(matches!(next, Next::Again { attempts: 0, refusals: 8, .. }), "{next:?}");
    }

    #[test]
    fn a_throttled_event_waits_as_long_as_it_was_told() {
        let wait = Some(SECOND * 90);
        let next = Retry::new().judge(&Tried { retry_after: wait, ..tried(Fault::Host, 0) }, 0);
        assert!(matches!(next, Next::Again { due: Moment(90_000), .. }), "{next:?}");
    }

    #[test]
    fn age_is_exact() {
        let retry = Retry::new().backoff(SECOND, SECOND).max_age(SECOND * 10);
        let next = |now| retry.judge(&Tried { now: Moment(now), ..tried(Fault::Function, 0) }, 0);
        assert!(matches!(next(8_999), Next::Again { due: Moment(9_999), .. }));
        assert_eq!(next(9_000), Next::Dead(Death::EventAgeExceeded));
        assert!(!retry.is_too_old(Moment(0), Moment(9_999)));
        assert!(retry.is_too_old(Moment(0), Moment(10_000)));
    }

    #[test]
    fn pauses_double_and_stay_between_their_bounds() {
        let bounds = (SECOND, SECOND * 10);
        for (times, most) in [(1, 2), (2, 4), (3, 8), (4, 10), (31, 10), (32, 10), (4_000, 10)] {
            assert_eq!(pause(bounds, times, 0), SECOND, "the least of {times}");
            assert_eq!(pause(bounds, times, u64::MAX), SECOND * most, "the most of {times}");
        }
        assert_eq!(pause((Duration::MAX, Duration::MAX), 3, u64::MAX), Duration::MAX);
    }

    #[test]
    fn pauses_are_spread_evenly() {
        const DRAWS: u64 = 100_000;
        const BINS: usize = 20;
        let mut bins = [0_u64; BINS];
        for random in randoms(DRAWS) {
            let pause = pause((SECOND, SECOND * 8), 3, random);
            let part = (pause - SECOND).as_millis() as usize;
            bins[(part * BINS / 7_001).min(BINS - 1)] += 1;
        }
        let expected = DRAWS as f64 / BINS as f64;
        let chi: f64 = bins.iter().map(|seen| (*seen as f64 - expected).powi(2) / expected).sum();
        // Beyond this a fair draw of 19 degrees comes once in ten thousand times; the draws are fixed.
        assert!(chi < 50.8, "{chi}: {bins:?}");
    }

    #[test]
    fn errors_are_told_apart() {
        let failed = |retryable| ErrorKind::Failed(Failure::new("a", "b").with_retryable(retryable));
        let table = [
            (failed(false), Fault::Final),
            (failed(true), Fault::Function),
            (ErrorKind::Failed(std::fmt::Error.into()), Fault::Function),
            (ErrorKind::Trapped { message: "a".into(), backtrace: Vec::new() }, Fault::Function),
            (ErrorKind::Panicked { message: "a".into() }, Fault::Function),
            (ErrorKind::TimedOut { phase: Phase::Handler, limit: SECOND }, Fault::Function),
            (ErrorKind::TimedOut { phase: Phase::Queue, limit: SECOND }, Fault::Host),
            (ErrorKind::UnknownFunction { target: "a".into(), hint: "b".into() }, Fault::Host),
            (ErrorKind::Engine { reason: "a".into() }, Fault::Host),
            (ErrorKind::InvalidEvent { attribute: "a".into(), reason: "b".into() }, Fault::Final),
        ];
        for (kind, fault) in table {
            let error = Error::from(kind);
            assert_eq!(fault_of(&error), fault, "{error}");
        }
    }

    #[test]
    fn answers_of_http_are_told_apart() {
        let fault = |status: &str| {
            let response = Response::new().with_attribute(STATUS, status);
            fault_in(&response).map(|(fault, _)| fault)
        };
        for fine in ["200", "204", "302", "soup"] {
            assert_eq!(fault(fine), None, "{fine}");
        }
        assert_eq!(
            (fault("404"), fault("429"), fault("503")),
            (Some(Fault::Final), Some(Fault::Function), Some(Fault::Function))
        );
        assert_eq!(fault_in(&Response::new()), None);
    }

    #[test]
    fn policies_that_cannot_work_are_refused() {
        assert!(Retry::new().check().is_ok());
        for (wrong, word) in [
            (Retry::new().attempts(0), "attempts"),
            (Retry::new().backoff(SECOND * 2, SECOND), "backoff"),
            (Retry::new().max_age(Duration::ZERO), "max_age"),
        ] {
            assert!(wrong.check().unwrap_err().contains(word), "{wrong:?}");
        }
    }
}
