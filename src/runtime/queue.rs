//! Queues by name: events for whoever takes them, each once.

use std::fmt;
use std::sync::Arc;

use crate::delivery::{Name, queue_channel};
use crate::error::{Error, ErrorKind, Payload};
use crate::event::Event;
use crate::runtime::Runtime;
use crate::runtime::core::Core;
use crate::runtime::submit::{Accepted, Submit, keep};

/// How large the body of a published event may be.
pub(super) const MOST_BYTES: u64 = 6 << 20;

/// A queue: what is published waits for a [`QueueTrigger`](crate::QueueTrigger), and each event goes to one batch of it.
///
/// ```
/// use fnhost::{Event, Runtime};
///
/// # let runtime = Runtime::new()?;
/// # runtime.block_on(async {
/// let orders = runtime.queue("orders")?;
/// orders.publish(Event::json("order.placed", &7)?).await?;
/// # Ok::<(), fnhost::Error>(())
/// # })?;
/// # Ok::<(), fnhost::Error>(())
/// ```
#[derive(Clone)]
pub struct Queue {
    core: Arc<Core>,
    name: Name,
}

impl Runtime {
    /// Returns a queue; it need not be made before.
    ///
    /// # Errors
    ///
    /// Invalid configuration, for a name that is none: `[a-zA-Z0-9-_]`, 1 to 64 of them.
    pub fn queue(&self, name: &str) -> Result<Queue, Error> {
        let name = Name::parse("queue", name).map_err(Error::configuration)?;
        Ok(Queue { core: Arc::clone(self.core()), name })
    }
}

impl Queue {
    /// Returns the queue's name.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Publishes an event, and returns when it is kept.
    ///
    /// # Errors
    ///
    /// What is wrong with the event, throttled when the broker is full, or why the broker cannot keep it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves open whether the event is kept.
    pub async fn publish(&self, event: Event) -> Result<Accepted, Error> {
        self.publish_with(Submit::new(event)).await
    }

    /// Publishes an event with a time, with keys, or with a context.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub async fn publish_with(&self, submit: Submit) -> Result<Accepted, Error> {
        check(&self.core, &submit)?;
        keep(&self.core, submit, queue_channel(self.name.as_str()), "").await
    }

    /// Publishes events, all or none of them.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub async fn publish_all(&self, events: impl IntoIterator<Item = Event>) -> Result<Vec<Accepted>, Error> {
        let now = self.core.delivery.wall.now();
        let draft = |event: Event| {
            let submit = Submit::new(event);
            check(&self.core, &submit)?;
            Ok(submit.into_draft(now, queue_channel(self.name.as_str()), ""))
        };
        let drafts = events.into_iter().map(draft).collect::<Result<Vec<_>, Error>>()?;
        let kept = self.core.delivery.store.put(drafts).await?;
        Ok(kept.into_iter().map(Accepted::from).collect())
    }
}

/// Checks an event that is published.
pub(super) fn check(core: &Core, submit: &Submit) -> Result<(), Error> {
    if core.is_closed() {
        return Err(ErrorKind::ShuttingDown.into());
    }
    submit.check()?;
    let size = submit.event().body().len() as u64;
    if size > MOST_BYTES {
        return Err(ErrorKind::PayloadTooLarge { what: Payload::Published, limit: MOST_BYTES, size }.into());
    }
    Ok(())
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("name", &self.name()).finish_non_exhaustive()
    }
}
