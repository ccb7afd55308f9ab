//! Streams, as a host appends to them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::context::Context;
use crate::delivery::{EventStreamOptions, Journal, Parcel};
use crate::error::{Error, ErrorKind, Payload};
use crate::event::Event;
use crate::runtime::Runtime;
use crate::runtime::core::Core;

/// Longest key.
const MAX_KEY: usize = 256;
/// How large a record may be; as text in a batch, or in the note of a failure, it is a third larger.
const MOST_BYTES: u64 = 4 << 20;

/// A stream of events: in order by key, over shards, kept for a time whether they are read or not; a cheap clone.
///
/// Functions read it by a [`StreamTrigger`](crate::StreamTrigger), each trigger in its own time.
///
/// ```
/// use fnhost::{Context, Event, EventStreamOptions, Runtime};
///
/// let runtime = Runtime::new()?;
/// runtime.block_on(async {
///     let clicks = runtime.event_stream("clicks", EventStreamOptions::new().shards(8)).await?;
///     let context = Context::new().with_tenant("acme");
///     let first = clicks.append_with(&context, Some("user-7"), Event::new("click")).await?;
///     let second = clicks.append_with(&context, Some("user-7"), Event::new("click")).await?;
///     assert!(first.shard() == second.shard() && first.sequence() < second.sequence());
///     Ok::<(), fnhost::Error>(())
/// })?;
/// # Ok::<(), fnhost::Error>(())
/// ```
#[derive(Clone)]
pub struct EventStream {
    core: Arc<Core>,
    journal: Journal,
}

/// Where a record was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    shard: u32,
    sequence: u64,
}

impl Appended {
    /// Returns the shard, from 0.
    pub fn shard(&self) -> u32 {
        self.shard
    }

    /// Returns the place in the shard; of several events, that of the last.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }
}

impl Runtime {
    /// Opens a stream, and makes it if there is none; all runtimes on one broker see the same.
    ///
    /// # Errors
    ///
    /// Invalid configuration for a name that is none or another number of shards than the stream has, or why the
    /// broker cannot keep it.
    pub async fn event_stream(&self, name: &str, options: EventStreamOptions) -> Result<EventStream, Error> {
        let journal = self.core().delivery.open_stream(name, &options).await?;
        Ok(EventStream { core: Arc::clone(self.core()), journal })
    }
}

impl EventStream {
    /// Returns the name.
    pub fn name(&self) -> &str {
        self.journal.name()
    }

    /// Returns over how many shards the keys are spread.
    pub fn shards(&self) -> u32 {
        self.journal.shards()
    }

    /// Appends an event that has no order with others, to one shard after another.
    ///
    /// # Errors
    ///
    /// What is wrong with the event, throttled when the broker is full, or why the broker cannot keep it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves open whether the event is kept.
    pub async fn append(&self, event: Event) -> Result<Appended, Error> {
        self.append_with(&Context::new(), None, event).await
    }

    /// Appends an event with a context, behind all events of its key.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub async fn append_with(
        &self,
        context: &Context,
        key: Option<&str>,
        event: Event,
    ) -> Result<Appended, Error> {
        self.append_all(context, key, [event]).await
    }

    /// Appends several events, one behind the other in one shard; all are kept, or none.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append), and `InvalidEvent` if there is no event.
    pub async fn append_all(
        &self,
        context: &Context,
        key: Option<&str>,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<Appended, Error> {
        if self.core.is_closed() {
            return Err(ErrorKind::ShuttingDown.into());
        }
        context.check::<Error>()?;
        check_key(key)?;
        let payloads = events.into_iter().map(|event| pack(event, context)).collect::<Result<Vec<_>, _>>()?;
        if payloads.is_empty() {
            return Err(refused("events", "none is there to be appended; give at least one"));
        }
        let (shard, sequence) = self.core.delivery.append(&self.journal, key, payloads).await?;
        Ok(Appended { shard, sequence })
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").field("name", &self.name()).field("shards", &self.shards()).finish()
    }
}

fn check_key(key: Option<&str>) -> Result<(), Error> {
    match key.filter(|key| !(1..=MAX_KEY).contains(&key.len())) {
        Some(key) => Err(refused("partition key", &format!("{} bytes long; give 1 to {MAX_KEY}", key.len()))),
        None => Ok(()),
    }
}

fn pack(event: Event, context: &Context) -> Result<Bytes, Error> {
    event.check()?;
    let payload = Parcel::new(event, "", context).encode();
    let size = payload.len() as u64;
    if size > MOST_BYTES {
        return Err(ErrorKind::PayloadTooLarge { what: Payload::Published, limit: MOST_BYTES, size }.into());
    }
    Ok(payload)
}

fn refused(attribute: &str, reason: &str) -> Error {
    ErrorKind::InvalidEvent { attribute: attribute.into(), reason: reason.into() }.into()
}
