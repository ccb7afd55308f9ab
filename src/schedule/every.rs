//! Again and again after the same time.

use std::fmt;
use std::time::Duration;

use super::fault::Fault;

const LEAST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Again and again after the same time.
///
/// Ticks lie at whole multiples of the period from an anchor, before and behind it, so that they do not depend on
/// when a machine was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Every {
    period: Duration,
    /// In milliseconds.
    step: i64,
    anchor: i64,
}

impl Every {
    /// Ticks each time so much time has passed since the Unix epoch.
    ///
    /// # Errors
    ///
    /// If the period is under a second, over 366 days, or not of whole milliseconds.
    pub(crate) fn new(period: Duration) -> Result<Self, Fault> {
        if !(LEAST..=MOST).contains(&period) {
            return Err(Fault::whole(format!("a period of {period:?} is not allowed; give 1s to 366 days")));
        }
        if !period.subsec_nanos().is_multiple_of(1_000_000) {
            return Err(Fault::whole(format!("a period of {period:?} is too fine; give whole milliseconds")));
        }
        let step = i64::try_from(period.as_millis()).expect("366 days have fewer milliseconds");
        Ok(Self { period, step, anchor: 0 })
    }

    /// Has one tick lie at this moment; by default at the Unix epoch.
    #[cfg(test)]
    pub(crate) fn anchored_at(self, anchor: i64) -> Self {
        // Only where it lies within a period matters, and so nothing overflows.
        Self { anchor: anchor.rem_euclid(self.step), ..self }
    }

    /// Returns the first tick behind this moment; none at the end of what the number can tell.
    pub(crate) fn next_after(&self, after: i64) -> Option<i64> {
        let passed = (i128::from(after) - i128::from(self.anchor)).rem_euclid(i128::from(self.step));
        i64::try_from(i128::from(after) - passed + i128::from(self.step)).ok()
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "every {:?}", self.period)
    }
}
