//! Keeps messages until they are done.
//!
//! It promises that what was [`put`](Store::put) is there until it is [settled](Store::settle): as long as the process
//! lives in memory, as long as the folder or the servers do elsewhere. Every message is handed out at least once; to
//! one at a time, unless a lease ran out because its holder was cut off. Messages of one ordering key are handed out one after
//! another in the order in which they were put, the next only when the one before is done or dead. A message is
//! never handed out before it is due.
//!
//! It does not know what a message says, who serves it, or when it is tried again: payload and notes are bytes.

mod choice;
#[cfg(test)]
mod conformance;
#[cfg(feature = "embedded")]
mod embedded;
mod lease;
mod memory;
#[cfg(feature = "nats")]
mod nats;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

pub use self::choice::Broker;
#[cfg(feature = "embedded")]
pub use self::embedded::Probe;
pub(crate) use self::lease::{Lease, Token};
pub(crate) use self::memory::Memory;
#[cfg(feature = "embedded")]
pub(crate) use self::memory::Values;
#[cfg(feature = "nats")]
pub use self::nats::Nats;
use crate::error::{Error, ErrorKind, Payload, ThrottleReason};
use crate::wall::Moment;

/// How large a message may be: payload, notes, and key together.
pub(crate) const MOST_BYTES: usize = 8 << 20;

/// Where messages wait for whoever serves them, such as `f.resize` or `q.orders`.
///
/// One to three names of `[a-zA-Z0-9_-]`, at most 64 bytes each, with full stops between.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Channel(Arc<str>);

impl Channel {
    /// Takes a name that is known to be one.
    pub(crate) fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names a kept event; what it looks like is the broker's matter.
///
/// ```no_run
/// # async fn example(handler: fnhost::Handler, event: fnhost::Event) -> Result<(), fnhost::Error> {
/// let accepted = handler.submit(event).await?;
/// println!("kept as {}", accepted.id());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubmissionId(Arc<str>);

impl SubmissionId {
    /// Takes an id as it was written before.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SubmissionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A message to be kept.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) channel: Channel,
    pub(crate) payload: Bytes,
    /// Messages of one key and channel keep their order.
    pub(crate) key: Option<Arc<str>>,
    /// It is handed out from then on.
    pub(crate) due: Moment,
    pub(crate) once: Option<Once>,
}

/// A second message of the same key within the window is the first one.
#[derive(Clone, Debug)]
pub(crate) struct Once {
    /// For all channels together; who uses it makes it unique.
    pub(crate) key: Arc<str>,
    pub(crate) window: Duration,
}

/// What a message was kept as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) id: SubmissionId,
    /// It was there before, by its [`Once`].
    pub(crate) known: bool,
}

/// What becomes of a message that was handed out.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// It is done; the summary is kept for a while.
    Done { summary: Bytes },
    /// It is handed out again, not before it is due. The place in the order of its key stays.
    Again { due: Moment, attempt: u32, notes: Bytes },
    /// It is a dead letter now.
    Dead { notes: Bytes },
}

/// What is known of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Waiting { due: Moment, attempt: u32, notes: Bytes },
    Running { attempt: u32 },
    Done { summary: Bytes },
    Dead { notes: Bytes },
    Cancelled,
}

/// What came of cancelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cancel {
    /// It will not run, and not again.
    Cancelled,
    /// It is handed out right now.
    Running,
    /// It is done or dead.
    Over,
    Unknown,
}

/// A message that was given up.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) id: SubmissionId,
    pub(crate) channel: Channel,
    pub(crate) payload: Bytes,
    pub(crate) notes: Bytes,
    pub(crate) died: Moment,
    /// Where it stands among all dead letters, from 1.
    pub(crate) order: u64,
}

/// How much a channel holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Depth {
    /// Not handed out, whether due or not.
    pub(crate) waiting: u64,
    /// Of those, the ones that failed before.
    pub(crate) retrying: u64,
    pub(crate) running: u64,
    pub(crate) dead: u64,
    /// When the first of those that wait was put.
    pub(crate) oldest: Option<Moment>,
}

/// One item of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Counts from 1 in each shard, and grows; numbers may be left out.
    pub(crate) sequence: u64,
    pub(crate) at: Moment,
    pub(crate) payload: Bytes,
}

/// A value with the number that it must still have when it is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Versioned {
    pub(crate) value: Bytes,
    pub(crate) revision: u64,
}

/// How much a store keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Messages that are neither done nor cancelled, dead letters too.
    pub(crate) events: u64,
    /// Their payloads together.
    pub(crate) bytes: u64,
    /// How long it is known what became of a message.
    pub(crate) remember: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { events: 1_000_000, bytes: 4 << 30, remember: Duration::from_secs(3600) }
    }
}

/// Why something was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// As much is kept as may be.
    Full(Bounds),
    /// A message, or what stands with it, is larger than the store takes, now and later.
    TooLarge {
        limit: usize,
        size: usize,
    },
    /// The disk, the server or the network refuses.
    Failed(String),
    Closed,
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Full(Bounds { events, bytes, .. }) => ErrorKind::Throttled {
                reason: ThrottleReason::BrokerFull { events, bytes },
                retry_after: Duration::from_secs(1),
            },
            Trouble::TooLarge { limit, size } => ErrorKind::PayloadTooLarge {
                what: Payload::Published,
                limit: limit as u64,
                size: size as u64,
            },
            Trouble::Failed(reason) => ErrorKind::Broker { reason },
            Trouble::Closed => ErrorKind::ShuttingDown,
        }
        .into()
    }
}

/// Who hears of changes; called under no lock.
pub(crate) type Listener<T> = Box<dyn Fn(&T) + Send + Sync>;

/// What one shard of a stream is called.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shard {
    pub(crate) stream: Arc<str>,
    pub(crate) number: u32,
}

type Answer<'a, T> = BoxFuture<'a, Result<T, Trouble>>;

/// Keeps messages until they are done: in memory, in a folder, on servers.
pub(crate) trait Store: Send + Sync + 'static {
    /// Keeps messages, all or none; it answers when they are kept as safely as this store keeps anything.
    ///
    /// When it is dropped midway, they may be kept or not.
    fn put(&self, drafts: Vec<Draft>) -> Answer<'_, Vec<Kept>>;

    /// Waits until at least one message of the channel is due, and hands out up to so many (at least 1).
    ///
    /// When it is dropped midway, nothing is handed out.
    fn pull<'a>(&'a self, channel: &'a Channel, most: usize) -> Answer<'a, Vec<Lease>>;

    /// Ends a lease, and keeps what follows from it in the same step; that step is not bounded by what the store
    /// may keep, as the message has had its room. A token that is not out any more is taken for settled.
    ///
    /// It may answer before that is safe: what is lost then is handed out again.
    fn settle(&self, token: Token, verdict: Verdict, then: Vec<Draft>) -> Answer<'_, ()>;

    /// Ends a lease as if it had not been: the message is due at once, where it stood. Nothing for a token that is
    /// not out any more.
    fn give_back(&self, token: Token);

    fn state<'a>(&'a self, id: &'a SubmissionId) -> Answer<'a, Option<State>>;

    fn cancel<'a>(&'a self, id: &'a SubmissionId) -> Answer<'a, Cancel>;

    /// Returns dead letters of a channel, or of all, in the order in which they died, behind one place in it.
    fn letters<'a>(
        &'a self,
        channel: Option<&'a Channel>,
        after: u64,
        most: usize,
    ) -> Answer<'a, Vec<Letter>>;

    fn letter<'a>(&'a self, id: &'a SubmissionId) -> Answer<'a, Option<Letter>>;

    /// Has a dead letter handed out again, as if it were new, under its id; false if there is none.
    fn revive<'a>(&'a self, id: &'a SubmissionId) -> Answer<'a, bool>;

    /// Forgets a dead letter; false if there is none.
    fn purge<'a>(&'a self, id: &'a SubmissionId) -> Answer<'a, bool>;

    fn depth<'a>(&'a self, channel: &'a Channel) -> Answer<'a, Depth>;

    /// Names every channel that may hold messages, now and whenever one comes; the same one may come again.
    fn on_channel(&self, listener: Listener<Channel>);

    /// Appends to one shard, all or none, as safely as this store keeps anything; answers the last sequence.
    fn append<'a>(&'a self, shard: &'a Shard, payloads: Vec<Bytes>) -> Answer<'a, u64>;

    /// Waits until the shard has an item from the sequence on, and answers up to so many items and bytes, always one.
    fn read<'a>(&'a self, shard: &'a Shard, from: u64, most: (usize, usize)) -> Answer<'a, Vec<Item>>;

    /// Returns the sequence that the next item will have, or a higher one than any has had.
    fn end<'a>(&'a self, shard: &'a Shard) -> Answer<'a, u64>;

    /// Returns the first sequence whose item came at that moment or later; [`end`](Self::end) if there is none.
    fn seek<'a>(&'a self, shard: &'a Shard, at: Moment) -> Answer<'a, u64>;

    /// Forgets the items that came before a moment.
    fn trim<'a>(&'a self, shard: &'a Shard, before: Moment) -> Answer<'a, ()>;

    /// Reads a value. Keys are one to four names as channels have, with full stops between.
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Versioned>>;

    /// Replaces a value if it has that revision still; none stands for a key that has no value. Answers the new
    /// revision, or none if somebody was faster.
    fn swap<'a>(&'a self, key: &'a str, revision: Option<u64>, value: Bytes) -> Answer<'a, Option<u64>>;

    /// Removes a value, whatever it is.
    fn remove<'a>(&'a self, key: &'a str) -> Answer<'a, ()>;

    /// Hears of each value whose key begins with the prefix, now and whenever one changes; none when it is removed.
    /// Those that are there are told before this returns, if the store can be reached.
    fn on_value(&self, prefix: &str, listener: Listener<(String, Option<Bytes>)>);

    /// Makes safe what is not yet, and takes nothing more. Leases that are out are given back.
    fn close(&self) -> BoxFuture<'_, ()>;
}
