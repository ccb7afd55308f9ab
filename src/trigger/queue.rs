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
    visibility: Option<Duration>,
    policy: Policy,
}

impl QueueTrigger {
    pub(super) fn new(queue: String) -> Self {
        let policy = Policy { concurrency: 10, ..Policy::default() };
        Self { queue, target: None, batch: Some(Batch::default()), visibility: None, policy }
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

    /// Sets after what time an event that failed comes again; 30 seconds unless set. Pauses that grow are set by
    /// [`Retry::backoff`] in its place.
    pub fn visibility(mut self, time: Duration) -> Self {
        self.visibility = Some(time);
        self
    }

    /// Sets how often an event is tried and how old it may become, 3 times and 6 hours unless set, and, where the policy
    /// has a [`backoff`](Retry::backoff), with which pauses in place of the time of `visibility`.
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

    pub(super) fn plan(mut self) -> Result<Feed, String> {
        let queue = Name::parse("queue", &self.queue)?;
        let (target, function) = target(self.target.take())?;
        self.batch.as_ref().map_or(Ok(()), Batch::check)?;
        if self.visibility.is_some() && self.policy.retry.has_backoff() {
            return Err(
                "visibility and the backoff of retry both say when an event comes again; set one".into()
            );
        }
        let pause = self.visibility.unwrap_or(VISIBILITY);
        self.policy.retry = self.policy.retry.or_backoff(pause, pause);
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

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn pause(trigger: QueueTrigger) -> Result<Duration, String> {
        trigger.to("a").plan().map(|feed| feed.policy.retry.pause_after(1, 0))
    }

    #[test]
    fn visibility_holds_whatever_else_is_said_of_retries() {
        let trigger = || QueueTrigger::new("orders".into());
        let often = Retry::new().attempts(5);
        assert_eq!(pause(trigger()), Ok(VISIBILITY));
        assert_eq!(pause(trigger().retry(often)), Ok(VISIBILITY));
        assert_eq!(pause(trigger().visibility(MINUTE).retry(often)), Ok(MINUTE));
        assert_eq!(pause(trigger().retry(often).visibility(MINUTE)), Ok(MINUTE));
        assert_eq!(pause(trigger().retry(often.backoff(MINUTE, MINUTE))), Ok(MINUTE));
    }

    #[test]
    fn two_pauses_are_refused() {
        let both = QueueTrigger::new("orders".into()).visibility(MINUTE);
        let refused = pause(both.retry(Retry::new().backoff(MINUTE, MINUTE))).unwrap_err();
        assert!(refused.contains("set one"), "{refused}");
    }
}
