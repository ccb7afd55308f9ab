//! How much waits to be delivered, and what delivery has done.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::broker::{Channel, Depth};
#[cfg(feature = "http")]
use crate::delivery::webhook_channel;
use crate::delivery::{Delivery, DeliveryStats, channel_of, queue_channel, subscription_channel};
use crate::error::Error;
use crate::runtime::Runtime;

/// What waits in one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backlog {
    /// Events that wait, whether they are due or not.
    pub waiting: u64,
    /// Of those, the ones that failed before.
    pub retrying: u64,
    /// Events that are being delivered, by any runtime of the broker.
    pub running: u64,
    /// Dead letters.
    pub dead: u64,
    /// How long the oldest event that waits has been there; none if none waits.
    pub oldest: Option<Duration>,
}

/// Tells how much waits; see [`Runtime::backlogs`].
#[derive(Clone)]
pub struct Backlogs {
    delivery: Arc<Delivery>,
}

impl Runtime {
    /// Returns what tells how much waits, for everything that this runtime's broker keeps.
    ///
    /// ```
    /// use fnhost::{Event, Function, Runtime};
    ///
    /// let runtime = Runtime::builder().places(16).build()?;
    /// runtime.block_on(async {
    ///     runtime.deploy(Function::wasm("resize", "(module (memory (export \"memory\") 1)
    ///         (func (export \"fnhost_alloc\") (param i32) (result i32) i32.const 0)
    ///         (func (export \"fnhost_handle\") (param i32 i32) (result i64) i64.const 0))")).await?;
    ///     let hour = std::time::Duration::from_secs(3600);
    ///     runtime.handler("resize")?.submit_after(Event::new("upload"), hour).await?;
    ///     let backlog = runtime.backlogs().of_function("resize").await?;
    ///     assert_eq!((backlog.waiting, backlog.retrying, backlog.dead), (1, 0, 0));
    ///     Ok::<(), fnhost::Error>(())
    /// })?;
    /// # Ok::<(), fnhost::Error>(())
    /// ```
    pub fn backlogs(&self) -> Backlogs {
        Backlogs { delivery: Arc::clone(&self.core().delivery) }
    }

    /// Returns what delivery does and has done, in this runtime alone.
    ///
    /// ```
    /// let runtime = fnhost::Runtime::new()?;
    /// let stats = runtime.delivery_stats();
    /// assert_eq!((stats.delivering, stats.delivered, stats.dead, stats.threads), (0, 0, 0, 0));
    /// # Ok::<(), fnhost::Error>(())
    /// ```
    pub fn delivery_stats(&self) -> DeliveryStats {
        self.core().delivery.stats()
    }
}

impl Backlogs {
    /// Tells how many events wait that were submitted to a function, whether it is deployed or not.
    ///
    /// # Errors
    ///
    /// Why the broker cannot tell.
    pub async fn of_function(&self, name: &str) -> Result<Backlog, Error> {
        self.of(channel_of(name)).await
    }

    /// Tells how many events wait in a queue.
    ///
    /// # Errors
    ///
    /// Why the broker cannot tell.
    pub async fn of_queue(&self, name: &str) -> Result<Backlog, Error> {
        self.of(queue_channel(name)).await
    }

    /// Tells how many events wait for a subscription to a topic.
    ///
    /// # Errors
    ///
    /// Why the broker cannot tell.
    pub async fn of_subscription(&self, topic: &str, subscription: &str) -> Result<Backlog, Error> {
        self.of(subscription_channel(topic, subscription)).await
    }

    /// Tells how many outcomes wait to be posted to the webhooks of a function.
    ///
    /// # Errors
    ///
    /// Why the broker cannot tell.
    #[cfg(feature = "http")]
    pub async fn of_webhook(&self, function: &str) -> Result<Backlog, Error> {
        self.of(webhook_channel(function)).await
    }

    async fn of(&self, channel: Channel) -> Result<Backlog, Error> {
        let Depth { waiting, retrying, running, dead, oldest } = self.delivery.store.depth(&channel).await?;
        let now = self.delivery.wall.now();
        Ok(Backlog { waiting, retrying, running, dead, oldest: oldest.map(|oldest| now.since(oldest)) })
    }
}

impl fmt::Debug for Backlogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backlogs").field("stats", &self.delivery.stats()).finish_non_exhaustive()
    }
}
