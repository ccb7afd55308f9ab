//! Makes events at certain times.

use std::time::Duration;

use crate::delivery::Timetable;
pub use crate::delivery::{Missed, Overlap};
use crate::event::Event;
use crate::schedule::{Cron, Every, Jitter, Schedule};
use crate::trigger::{Kind, Trigger, target};

/// The type of a tick's event unless set.
const TYPE: &str = "fnhost.tick";

/// Makes events at certain times; see [`Trigger::cron`] and [`Trigger::every`].
///
/// Each tick becomes one submitted event, however many runtimes share the broker: the tick's name, such as
/// `nightly@2026-11-25T02:00:00Z`, is its id and its idempotency key. Retries are those of the function.
///
/// ```
/// use std::time::Duration;
/// use fnhost::{Missed, Overlap, Trigger};
///
/// let nightly = Trigger::cron("0 3 * * MON-FRI", "Europe/Berlin")
///     .to("report")
///     .jitter(Duration::from_secs(60))
///     .missed(Missed::Once)
///     .overlap(Overlap::Skip);
/// # drop(nightly);
/// ```
#[derive(Debug)]
#[must_use = "a trigger does nothing until it is added to a runtime"]
pub struct ScheduleTrigger {
    when: When,
    target: Option<String>,
    event: Event,
    jitter: Duration,
    missed: Missed,
    overlap: Overlap,
}

#[derive(Debug)]
enum When {
    Cron { expression: String, zone: String },
    Every(Duration),
}

impl ScheduleTrigger {
    pub(super) fn cron(expression: String, zone: String) -> Self {
        Self::new(When::Cron { expression, zone })
    }

    pub(super) fn every(period: Duration) -> Self {
        Self::new(When::Every(period))
    }

    fn new(when: When) -> Self {
        Self {
            when,
            target: None,
            event: Event::new(TYPE),
            jitter: Duration::ZERO,
            missed: Missed::Skip,
            overlap: Overlap::Wait,
        }
    }

    /// Sets the function, or one version of it; it must be set.
    pub fn to(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Sets the event that each tick becomes; of the type `fnhost.tick` and empty unless set. Its id becomes the tick's
    /// name, its time the tick's.
    pub fn event(mut self, event: Event) -> Self {
        self.event = event;
        self
    }

    /// Sets up to how much later a tick may come, so that not all come at once; none unless set.
    ///
    /// The time is another one for each tick and trigger, and the same on all machines.
    pub fn jitter(mut self, most: Duration) -> Self {
        self.jitter = most;
        self
    }

    /// Sets what becomes of ticks at which no runtime was there, or the machine slept; they are skipped unless set.
    pub fn missed(mut self, missed: Missed) -> Self {
        self.missed = missed;
        self
    }

    /// Sets what becomes of a tick while the event of the one before is not done; it waits unless set.
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.overlap = overlap;
        self
    }

    pub(super) fn plan(self, name: &str) -> Result<Timetable, String> {
        let (target, function) = target(self.target)?;
        self.event.check().map_err(|error| error.to_string())?;
        let schedule = match &self.when {
            When::Cron { expression, zone } => {
                let cron =
                    Cron::parse(expression, zone).map_err(|fault| format!("{expression:?}: {fault}"))?;
                Schedule::from(cron)
            }
            When::Every(period) => Schedule::from(Every::new(*period).map_err(|fault| fault.to_string())?),
        };
        Ok(Timetable {
            name: name.into(),
            schedule,
            jitter: Jitter::below(self.jitter),
            target,
            function,
            event: self.event,
            missed: self.missed,
            overlap: self.overlap,
        })
    }
}

impl From<ScheduleTrigger> for Trigger {
    fn from(trigger: ScheduleTrigger) -> Self {
        Self(Kind::Schedule(trigger))
    }
}
