//! What turns something in the world into events for a function.

mod queue;
#[cfg(feature = "cron")]
mod schedule;
mod topic;

pub use self::queue::QueueTrigger;
#[cfg(feature = "cron")]
pub use self::schedule::{Missed, Overlap, ScheduleTrigger};
pub use self::topic::TopicTrigger;
#[cfg(feature = "cron")]
use crate::delivery::Timetable;
use crate::delivery::{Consumer, Feed, StreamTrigger};
use crate::filter::Filter;
use crate::registry::Target;

/// What turns something in the world into events for a function; see [`Runtime::add_trigger`].
///
/// [`Runtime::add_trigger`]: crate::Runtime::add_trigger
///
/// ```
/// use fnhost::{Batch, Filter, Runtime, Trigger};
///
/// # let runtime = Runtime::new()?;
/// # runtime.block_on(async {
/// runtime.add_trigger("count-orders", Trigger::queue("orders").to("count").batch(Batch::of(100))).await?;
/// let large = Filter::parse(r#"{"data": {"total": [{"numeric": [">", 100]}]}}"#)?;
/// runtime.add_trigger("large-orders", Trigger::topic("orders").to("check").filter(large)).await?;
/// # Ok::<(), fnhost::Error>(())
/// # })?;
/// # Ok::<(), fnhost::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a trigger does nothing until it is added to a runtime"]
pub struct Trigger(pub(crate) Kind);

#[derive(Debug)]
pub(crate) enum Kind {
    Queue(QueueTrigger),
    Topic(TopicTrigger),
    Stream(StreamTrigger),
    #[cfg(feature = "cron")]
    Schedule(ScheduleTrigger),
}

/// What a trigger comes to, once it is checked.
pub(crate) enum Plan {
    Feed(Feed),
    Stream(Consumer),
    Subscription {
        topic: String,
        filter: Option<Filter>,
        feed: Feed,
    },
    #[cfg(feature = "cron")]
    Timetable(Box<Timetable>),
}

impl Trigger {
    /// Takes what is published to a queue.
    pub fn queue(queue: impl Into<String>) -> QueueTrigger {
        QueueTrigger::new(queue.into())
    }

    /// Takes what is published to a topic, from when the trigger was first added.
    pub fn topic(topic: impl Into<String>) -> TopicTrigger {
        TopicTrigger::new(topic.into())
    }

    /// Takes what is appended to a stream, in order.
    pub fn stream(stream: impl Into<String>) -> StreamTrigger {
        StreamTrigger::new(stream)
    }

    /// Makes an event at the times of a cron expression in a time zone, such as `0 3 * * MON-FRI` in `Europe/Berlin`;
    /// the guide `docs/cron.md` says what is understood.
    #[cfg(feature = "cron")]
    pub fn cron(expression: impl Into<String>, zone: impl Into<String>) -> ScheduleTrigger {
        ScheduleTrigger::cron(expression.into(), zone.into())
    }

    /// Makes an event each time a period is over, counted from the Unix epoch; 1 second to 366 days.
    #[cfg(feature = "cron")]
    pub fn every(period: std::time::Duration) -> ScheduleTrigger {
        ScheduleTrigger::every(period)
    }

    pub(crate) fn plan(self, name: &str) -> Result<Plan, String> {
        match self.0 {
            Kind::Queue(trigger) => trigger.plan().map(Plan::Feed),
            Kind::Topic(trigger) => trigger.plan(name),
            Kind::Stream(trigger) => {
                let (target, _) = target(trigger.target())?;
                trigger.into_consumer(name, &target).map(Plan::Stream)
            }
            #[cfg(feature = "cron")]
            Kind::Schedule(trigger) => trigger.plan(name).map(|plan| Plan::Timetable(Box::new(plan))),
        }
    }
}

impl From<StreamTrigger> for Trigger {
    fn from(trigger: StreamTrigger) -> Self {
        Self(Kind::Stream(trigger))
    }
}

/// Checks a target; answers the function's name too.
fn target(target: Option<String>) -> Result<(String, String), String> {
    let target = target.ok_or("it has no target; name one with `.to(..)`")?;
    let parsed = Target::parse(&target).map_err(|error| error.to_string())?;
    Ok((target, parsed.name))
}
