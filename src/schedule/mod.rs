//! When something is to happen: cron expressions with time zones, and even intervals.
//!
//! A [`Schedule`] promises that its ticks are the same on every machine that runs the same build, whatever the
//! machine's own zone or its copy of the time zone database; that [`next_after`](Schedule::next_after) answers the
//! first tick behind a moment, strictly; and that it answers in bounded time, whatever the expression. What can
//! never run is refused when it is read. [`Jitter`] spreads ticks in time and [`tick_name`] names them, both so that
//! all machines agree.
//!
//! It knows no clock and waits for nothing: whoever asks says what time it is, in milliseconds since the Unix
//! epoch. It does not remember what has run.

mod fault;
mod word;
mod field;
mod values;
mod days;
mod fields;
mod zone;
mod cron;
mod every;
mod ticks;
mod jitter;
#[cfg(test)]
mod tests;

use std::fmt;

pub(crate) use self::cron::Cron;
pub(crate) use self::every::Every;
#[cfg(test)]
pub(crate) use self::fault::Fault;
#[cfg(test)]
pub(crate) use self::field::Field;
pub(crate) use self::jitter::Jitter;
pub(crate) use self::ticks::tick_name;

/// When something is to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Schedule {
    /// As a cron expression says.
    Cron(Cron),
    /// Again and again after the same time.
    Every(Every),
}

impl Schedule {
    /// Returns the first tick behind this moment.
    pub(crate) fn next_after(&self, after: i64) -> Option<i64> {
        match self {
            Self::Cron(cron) => cron.next_after(after),
            Self::Every(every) => every.next_after(after),
        }
    }
}

impl From<Cron> for Schedule {
    fn from(cron: Cron) -> Self {
        Self::Cron(cron)
    }
}

impl From<Every> for Schedule {
    fn from(every: Every) -> Self {
        Self::Every(every)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron(cron) => cron.fmt(f),
            Self::Every(every) => every.fmt(f),
        }
    }
}
