//! Topics by name: events for all who want them.

use std::fmt;
use std::sync::Arc;

use crate::delivery::Name;
use crate::error::Error;
use crate::event::Event;
use crate::runtime::Runtime;
use crate::runtime::core::Core;
use crate::runtime::queue::check;
use crate::runtime::submit::{Accepted, Submit};

/// A topic: what is published goes to every subscription whose filter lets it pass; see
/// [`TopicTrigger`](crate::TopicTrigger).
///
/// ```
/// use fnhost::{Event, Runtime};
///
/// # let runtime = Runtime::new()?;
/// # runtime.block_on(async {
/// let clicks = runtime.topic("clicks")?;
/// let kept = clicks.publish(Event::new("click")).await?;
/// assert!(kept.is_empty(), "nobody has subscribed");
/// # Ok::<(), fnhost::Error>(())
/// # })?;
/// # Ok::<(), fnhost::Error>(())
/// ```
#[derive(Clone)]
pub struct Topic {
    core: Arc<Core>,
    name: Name,
}

impl Runtime {
    /// Returns a topic; it need not be made before.
    ///
    /// # Errors
    ///
    /// Invalid configuration, for a name that is none: `[a-zA-Z0-9-_]`, 1 to 64 of them.
    pub fn topic(&self, name: &str) -> Result<Topic, Error> {
        let name = Name::parse("topic", name).map_err(Error::configuration)?;
        Ok(Topic { core: Arc::clone(self.core()), name })
    }
}

impl Topic {
    /// Returns the topic's name.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Publishes an event, and returns when it is kept for all who want it: one answer for each subscription.
    ///
    /// # Errors
    ///
    /// What is wrong with the event, throttled when the broker is full, or why the broker cannot keep it; then nobody
    /// gets it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves open whether the event is kept.
    pub async fn publish(&self, event: Event) -> Result<Vec<Accepted>, Error> {
        self.publish_with(Submit::new(event)).await
    }

    /// Publishes an event with a time, with keys, or with a context. A key holds for each subscription by itself.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub async fn publish_with(&self, submit: Submit) -> Result<Vec<Accepted>, Error> {
        check(&self.core, &submit)?;
        let delivery = &self.core.delivery;
        let channels = delivery.topics.wanting(self.name(), submit.event());
        if channels.is_empty() {
            return Ok(Vec::new());
        }
        let drafts = submit.into_drafts(delivery.wall.now(), channels);
        let kept = delivery.store.put(drafts).await?;
        Ok(kept.into_iter().map(Accepted::from).collect())
    }

    /// Returns the names of the subscriptions that this runtime knows.
    pub fn subscriptions(&self) -> Vec<String> {
        self.core.delivery.topics.subscriptions(self.name())
    }

    /// Ends a subscription, on all runtimes of the broker; what it has not been given yet is kept for a trigger of its name.
    ///
    /// # Errors
    ///
    /// Why the broker cannot do that.
    pub async fn unsubscribe(&self, subscription: &str) -> Result<(), Error> {
        let delivery = &self.core.delivery;
        delivery.topics.unsubscribe(&*delivery.store, (self.name(), subscription)).await?;
        Ok(())
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic").field("name", &self.name()).finish_non_exhaustive()
    }
}
