//! What all parts of the store share.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::time::Duration;

use async_nats::Subject;
use async_nats::jetstream::kv::{Operation, Store as Bucket};
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, Notify, mpsc};
use tokio::time::{Instant, timeout};

use crate::broker::nats::desk::{Desk, Held};
use crate::broker::nats::ended::Ending;
use crate::broker::nats::keep::Hold;
use crate::broker::nats::link::{Doubt, Link, whole};
use crate::broker::nats::names::Names;
use crate::broker::nats::post::Post;
use crate::broker::nats::press::Press;
use crate::broker::nats::records;
use crate::broker::nats::stock::Stock;
use crate::broker::nats::values::Command;
use crate::broker::{Bounds, Channel, Listener, Trouble, Versioned};
use crate::wall::{Moment, Wall};

pub(super) const ACK: Bytes = Bytes::from_static(b"+ACK");
/// How long the servers are waited for at the end.
const FAREWELL: Duration = Duration::from_secs(5);
/// For how long a message is sent away at a time: servers count nanoseconds, and what is too long for them is no time.
const LONGEST_AWAY: Duration = Duration::from_secs(86_400);
const NAK: Bytes = Bytes::from_static(b"-NAK");
const WORKING: Bytes = Bytes::from_static(b"+WPI");

/// The channels that are known, and who hears of them.
pub(super) type Channels = (HashSet<Channel>, Vec<Arc<Listener<Channel>>>);

/// What all parts of the store share.
pub(super) struct Core {
    pub(super) link: Link,
    pub(super) stock: Stock,
    pub(super) names: Names,
    pub(super) bounds: Bounds,
    pub(super) wall: Wall,
    pub(super) hold: Hold,
    pub(super) desk: Mutex<Desk>,
    pub(super) posts: Mutex<HashMap<Channel, Arc<Post>>>,
    pub(super) press: Press,
    pub(super) doubt: Doubt,
    pub(super) endings: Mutex<Vec<Ending>>,
    /// Held by who writes endings.
    pub(super) writing: AsyncMutex<()>,
    /// There are enough endings to be written at once.
    pub(super) many_ended: Notify,
    /// What was cancelled; the bucket has the last word.
    pub(super) cancelled: Mutex<HashMap<u64, Instant>>,
    /// The channels that this runtime has announced.
    pub(super) announced: Mutex<HashSet<Channel>>,
    pub(super) channels: Mutex<Channels>,
    pub(super) values: mpsc::UnboundedSender<Command>,
    /// About how many messages there are, and bytes of them.
    pub(super) events: AtomicI64,
    pub(super) bytes: AtomicI64,
    pub(super) closed: AtomicBool,
}

impl Core {
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(SeqCst)
    }

    /// Takes nothing more.
    pub(super) fn shut(&self) {
        self.closed.store(true, SeqCst);
    }

    pub(super) fn check_open(&self) -> Result<(), Trouble> {
        if self.is_closed() { Err(Trouble::Closed) } else { Ok(()) }
    }

    pub(super) fn now(&self) -> Moment {
        self.wall.now()
    }

    /// Tells whether the servers may have forgotten that a message was handed out before.
    pub(super) fn is_doubtful(self: &Arc<Self>, sequence: u64) -> bool {
        let connects = self.link.connects();
        if self.doubt.renew(connects) {
            tokio::spawn(Arc::clone(self).limit_doubt(connects));
        }
        self.doubt.holds_for(sequence)
    }

    async fn limit_doubt(self: Arc<Self>, connects: u64) {
        let last = self.link.steady("read a stream", || async {
            Ok::<_, String>(self.stock.work.get_info().await.map_err(whole)?.state.last_sequence)
        });
        if let Ok(last) = last.await {
            self.doubt.limit(connects, last);
        }
    }

    /// Lets a message go that is over.
    pub(super) async fn acknowledge(&self, sequence: u64) {
        let held = self.desk.lock().release(sequence);
        if let Some(Held { reply, .. }) = held {
            self.link.send(reply, ACK).await;
        }
    }

    /// Lets a message go that is to be handed out again after some time.
    pub(super) async fn put_off(&self, sequence: u64, time: Duration) {
        let held = self.desk.lock().release(sequence);
        if let Some(Held { reply, .. }) = held {
            self.link.send(reply, nak(time)).await;
        }
    }

    /// Says that everything is held still.
    pub(super) async fn hold(&self) {
        let replies: Vec<Subject> = self.desk.lock().all().map(|held| held.reply.clone()).collect();
        for reply in replies {
            self.link.send(reply, WORKING).await;
        }
    }

    /// Takes nothing more, writes the endings that there are, and gives back what is held; in a bounded time, as the servers
    /// may be away.
    pub(super) async fn leave(&self) {
        self.shut();
        self.posts.lock().values().for_each(|post| post.arrived.notify_waiters());
        let leave = async {
            // What is not written runs once more.
            let _ = self.flush_endings().await;
            self.give_all_back().await;
        };
        if timeout(FAREWELL, leave).await.is_err() {
            tracing::warn!(
                "what is held cannot be given back, as the servers are away; it comes again after the ack wait"
            );
        }
    }

    /// Gives everything back that is held.
    async fn give_all_back(&self) {
        let held = self.desk.lock().clear();
        for Held { reply, .. } in held {
            self.link.send(reply, NAK).await;
        }
        // What is not sent comes back after the ack wait.
        let _ = self.link.client.flush().await;
    }

    /// Reads a bucket.
    pub(super) async fn read(&self, bucket: &Bucket, key: &str) -> Result<Option<Versioned>, Trouble> {
        let read = || async move {
            let entry = bucket.entry(key).await.map_err(whole)?;
            let entry = entry.filter(|entry| entry.operation == Operation::Put);
            Ok::<_, String>(entry.map(|entry| Versioned { value: entry.value, revision: entry.revision }))
        };
        self.link.steady("read a value", read).await
    }

    /// Reads a record of a bucket.
    pub(super) async fn record<T: serde::de::DeserializeOwned>(
        &self,
        bucket: &Bucket,
        key: &str,
    ) -> Result<Option<(T, u64)>, Trouble> {
        let read = self.read(bucket, key).await?;
        Ok(read.and_then(|read| Some((records::decode(&read.value)?, read.revision))))
    }

    /// Writes a value whatever there is.
    pub(super) async fn write(&self, bucket: &Bucket, key: &str, value: Bytes) -> Result<(), Trouble> {
        self.check_size(value.len())?;
        let write = || {
            let value = value.clone();
            async move { bucket.put(key, value).await.map_err(whole) }
        };
        self.link.steady("write a value", write).await.map(drop)
    }

    /// Makes a bucket forget a key, without a trace.
    pub(super) async fn erase(&self, bucket: &Bucket, key: &str) -> Result<(), Trouble> {
        let subject = format!("{}{key}", bucket.prefix);
        let erase = || {
            let subject = subject.clone();
            async move { bucket.stream.purge().filter(subject).await.map_err(whole) }
        };
        self.link.steady("erase a value", erase).await.map(drop)
    }
}

/// Returns what has a message handed out again after some time.
pub(super) fn nak(time: Duration) -> Bytes {
    if time.is_zero() {
        return NAK;
    }
    format!("-NAK {{\"delay\":{}}}", time.min(LONGEST_AWAY).as_nanos()).into()
}
