//! A cron expression in a time zone.
//!
//! What it does when the clock is changed depends on how its hours are written.
//!
//! - Hours that are named (`30 2 * * *`, `0 1-5 * * *`) follow the wall clock: a time that the clock is put forward
//!   past runs once, at the first moment behind the gap, and a time that comes twice runs the first time only.
//! - Hours that are written with a `*` (`*/15 * * * *`, `0 */2 * * *`) follow the time that passes: what the clock
//!   is put forward past is left out, and a time that comes twice runs both times.

use std::fmt;

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

use super::fault::Fault;
use super::fields::Fields;
use super::zone::{Local, Zone};

/// A cron expression in a time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cron {
    /// As it was written, with single spaces.
    expression: String,
    fields: Fields,
    zone: Zone,
}

const SECOND: SignedDuration = SignedDuration::from_secs(1);

impl Cron {
    /// Reads an expression, to be followed in the time zone of this name.
    ///
    /// # Errors
    ///
    /// Where and why it cannot be read or would never run, or that the zone is unknown.
    pub(crate) fn parse(expression: &str, zone: &str) -> Result<Self, Fault> {
        let fields = Fields::parse(expression)?;
        let expression = expression.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Self { expression, fields, zone: Zone::find(zone)? })
    }

    /// Returns the first tick behind this moment; none once the calendar ends, with the year 9999.
    pub(crate) fn next_after(&self, after: i64) -> Option<i64> {
        // Ticks are whole seconds, so what is behind the moment is behind its second.
        let second = after.div_euclid(1000).max(Timestamp::MIN.as_second());
        let tick = self.tick_after(Timestamp::from_second(second).ok()?)?;
        Some(tick.as_millisecond())
    }

    fn tick_after(&self, after: Timestamp) -> Option<Timestamp> {
        let shown = self.zone.clock(after);
        let Some(Local::Repeated { change, .. }) = self.zone.local(shown) else {
            return self.search(shown, after);
        };
        if !self.fields.has_any_hour() || after >= change.at {
            return self.search(shown, after);
        }
        // The clock comes here twice and this is the first time: what is left of it, and then all of the second.
        let left = self.search(shown, after).filter(|tick| *tick < change.at);
        left.or_else(|| self.search(before(change.to())?, change.at.checked_sub(SECOND).ok()?))
    }

    /// Returns the first tick behind a moment, of the times behind this one.
    fn search(&self, mut from: DateTime, after: Timestamp) -> Option<Timestamp> {
        loop {
            let time = self.fields.next_after(from)?;
            let (tick, passed) = self.tick_at(time, after)?;
            match tick.filter(|tick| *tick > after) {
                Some(tick) => return Some(tick),
                None => from = passed,
            }
        }
    }

    /// Returns the tick that a time stands for, and the last time for which the answer is the same.
    fn tick_at(&self, time: DateTime, after: Timestamp) -> Option<(Option<Timestamp>, DateTime)> {
        let follows_time = self.fields.has_any_hour();
        Some(match self.zone.local(time)? {
            Local::Once(tick) => (Some(tick), time),
            Local::Skipped(change) if follows_time => (None, before(change.to())?),
            Local::Skipped(change) => (Some(change.at), before(change.to())?),
            Local::Repeated { first, second, .. } if follows_time => {
                (Some(if first > after { first } else { second }), time)
            }
            // All that comes twice has run by then.
            Local::Repeated { first, change, .. } => (Some(first), before(change.from())?),
        })
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.expression, self.zone.name())
    }
}

fn before(time: DateTime) -> Option<DateTime> {
    time.checked_sub(SECOND).ok()
}
