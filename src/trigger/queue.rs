//! Brings what is published to a queue to a function.

use std::time::Duration;

use crate::delivery::{Batch, Destination, Feed, Name, Policy, Retry, queue_channel};
use crate::trigger::{Kind, Trigger, target};

/// How long what failed stays away unless set.
const VISIBILITY: Duration = Duration::from_secs(30);

/// Brings what is published to a queue to a function, in batches; see [`Trigger::queue`].
///
/// Of all runtimes that have such a trigger, each event goes to one.
#[derive(Debug)]
#[must_use = "a trigger does nothing until it is added to a runtime"]
pub struct QueueTrigger {
    queue: String,
    target: Option<String>,
    batch: Option<Batch>,
    policy: Policy,
}

impl QueueTrigger {
    pub(super) fn new(queue: String) -> Self {
        let retry = Retry::new().backoff(VISIBILITY, VISIBILITY);
        let policy = Policy { retry, concurrency: 10, ..Policy::default() };
        Self { queue, target: None, batch: Some(Batch::default()), policy }
    }

    /// Sets the function, or one version of it; it must be set.
    pub fn to(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Sets how many events come together; up to 10 of those that are there unless set.
    pub fn batch(mut self, batch: Batch) -> Self {
        self.batch = Some(batch);
        self
    }

    /// Has each event come alone, as it was published.
    pub fn one_by_one(mut self) -> Self {
        self.batch = None;
        self
    }

    /// Sets after what time an event that failed comes again; 30 seconds unless set.
    pub fn visibility(mut self, time: Duration) -> Self {
        self.policy.retry = self.policy.retry.backoff(time, time);
        self
    }

    /// Sets how often an event is tried, with which pauses, and how old it may become; 3 times, with the time of
    /// `visibility` between, and 6 hours unless set.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.policy.retry = retry;
        self
    }

    /// Sets how many batches run at once; 10 unless set.
    pub fn concurrency(mut self, most: usize) -> Self {
        self.policy.concurrency = most;
        self
    }

    /// Adds where an event goes that was given up; nowhere unless set. It is a dead letter as well.
    pub fn on_failure(mut self, destination: impl Into<Destination>) -> Self {
        self.policy.on_failure.push(destination.into());
        self
    }

    pub(super) fn plan(self) -> Result<Feed, String> {
        let queue = Name::parse("queue", &self.queue)?;
        let (target, function) = target(self.target)?;
        self.batch.as_ref().map_or(Ok(()), Batch::check)?;
        self.policy.check_feed()?;
        Ok(Feed {
            channel: queue_channel(queue.as_str()),
            target,
            function,
            batch: self.batch,
            source: format!("/fnhost/queue/{queue}"),
            policy: self.policy,
        })
    }
}

impl From<QueueTrigger> for Trigger {
    fn from(trigger: QueueTrigger) -> Self {
        Self(Kind::Queue(trigger))
    }
}
