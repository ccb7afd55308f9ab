//! A time zone, and which moments a wall clock time stands for in it.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};

use super::fault::Fault;

/// A time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Zone(TimeZone);

/// Which moments a wall clock time stands for.
pub(super) enum Local {
    Once(Timestamp),
    /// None: the clock is put forward past it.
    Skipped(Change),
    /// Two: the clock is put back.
    Repeated {
        first: Timestamp,
        second: Timestamp,
        change: Change,
    },
}

/// A moment at which the clock is put forward or back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) at: Timestamp,
    before: Offset,
    after: Offset,
}

impl Change {
    /// Returns what the clock would show at the moment if it had been left alone.
    pub(super) fn from(&self) -> DateTime {
        self.before.to_datetime(self.at)
    }

    /// Returns what the clock shows from the moment on.
    pub(super) fn to(&self) -> DateTime {
        self.after.to_datetime(self.at)
    }
}

impl Zone {
    /// Finds a time zone by its name.
    ///
    /// The database is the one that is compiled in, so that all machines of one build agree.
    pub(super) fn find(name: &str) -> Result<Self, Fault> {
        let found = TimeZoneDatabase::bundled().get(name).ok().filter(|zone| !zone.is_unknown());
        found.map(Self).ok_or_else(|| {
            let shown: String = name.escape_debug().take(80).collect();
            Fault::whole(format!(
                "unknown time zone `{shown}`; write a name such as `Europe/Berlin` or `UTC`"
            ))
        })
    }

    pub(super) fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// Returns what the clock shows at a moment.
    pub(super) fn clock(&self, at: Timestamp) -> DateTime {
        self.0.to_datetime(at)
    }

    /// Returns the moments that a time stands for; none outside the years that can be told.
    pub(super) fn local(&self, time: DateTime) -> Option<Local> {
        match self.0.to_ambiguous_timestamp(time).offset() {
            AmbiguousOffset::Unambiguous { offset } => Some(Local::Once(offset.to_timestamp(time).ok()?)),
            AmbiguousOffset::Gap { before, after } => {
                let change = self.change(after.to_timestamp(time).ok()?, before, after)?;
                Some(Local::Skipped(change))
            }
            AmbiguousOffset::Fold { before, after } => {
                let [first, second] = [before.to_timestamp(time).ok()?, after.to_timestamp(time).ok()?];
                let change = self.change(first, before, after)?;
                Some(Local::Repeated { first, second, change })
            }
        }
    }

    /// Returns the change that comes next.
    fn change(&self, from: Timestamp, before: Offset, after: Offset) -> Option<Change> {
        let found = self.0.following(from).next()?;
        Some(Change { at: found.timestamp(), before, after })
    }
}
