//! Brings what is published to a topic to a function.

use crate::delivery::{Batch, Destination, Feed, Name, Policy, Retry, subscription_channel};
use crate::filter::Filter;
use crate::trigger::{Kind, Plan, Trigger, target};

/// Brings what is published to a topic to a function; see [`Trigger::topic`].
///
/// The trigger's name is that of the subscription, which the broker keeps: what is published while no runtime serves it
/// waits, until [`Topic::unsubscribe`](crate::Topic::unsubscribe) ends it. Of all runtimes that have a trigger of that
/// name, each event goes to one.
#[derive(Debug)]
#[must_use = "a trigger does nothing until it is added to a runtime"]
pub struct TopicTrigger {
    topic: String,
    target: Option<String>,
    filter: Option<Filter>,
    batch: Option<Batch>,
    policy: Policy,
}

impl TopicTrigger {
    pub(super) fn new(topic: String) -> Self {
        let policy = Policy { concurrency: 10, ..Policy::default() };
        Self { topic, target: None, filter: None, batch: None, policy }
    }

    /// Sets the function, or one version of it; it must be set.
    pub fn to(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Sets which events are wanted; all unless set. What was published before keeps to the filter of then.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Has events come together; each comes alone, as it was published, unless set.
    pub fn batch(mut self, batch: Batch) -> Self {
        self.batch = Some(batch);
        self
    }

    /// Sets how often an event is tried, with which pauses, and how old it may become; as [`Retry::new`] says unless
    /// set.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.policy.retry = retry;
        self
    }

    /// Sets how many events or batches run at once; 10 unless set.
    pub fn concurrency(mut self, most: usize) -> Self {
        self.policy.concurrency = most;
        self
    }

    /// Adds where an event goes that was given up; nowhere unless set. It is a dead letter as well.
    pub fn on_failure(mut self, destination: impl Into<Destination>) -> Self {
        self.policy.on_failure.push(destination.into());
        self
    }

    pub(super) fn plan(self, name: &str) -> Result<Plan, String> {
        let topic = Name::parse("topic", &self.topic)?;
        let (target, function) = target(self.target)?;
        self.batch.as_ref().map_or(Ok(()), Batch::check)?;
        self.policy.check_feed()?;
        let feed = Feed {
            channel: subscription_channel(topic.as_str(), name),
            target,
            function,
            batch: self.batch,
            source: format!("/fnhost/topic/{topic}"),
            policy: self.policy,
        };
        Ok(Plan::Subscription { topic: self.topic, filter: self.filter, feed })
    }
}

impl From<TopicTrigger> for Trigger {
    fn from(trigger: TopicTrigger) -> Self {
        Self(Kind::Topic(trigger))
    }
}
