//! What becomes of events that nobody waits for.
//!
//! It promises that every event that was kept is delivered at least once and then is done, waits for another attempt,
//! or is a dead letter, whatever is dropped or ends in between; that only what the function did wrong counts as an
//! attempt; and that what follows from an ending, such as a destination, is kept in the same step as the ending.
//!
//! It does not know where events are kept, nor what serves them: a [`Store`] does the one, a [`Host`] the other.

mod batch;
mod courier;
mod deliver;
mod destination;
mod feed;
mod hands;
mod history;
mod load;
mod names;
mod parcel;
mod retry;
mod sequel;
mod settle;
mod stream;
mod stride;
mod summary;
mod tally;
#[cfg(feature = "cron")]
mod timetable;
#[cfg(test)]
mod tests;
mod topic;
#[cfg(feature = "http")]
mod webhook;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

pub use self::batch::Batch;
pub(crate) use self::courier::channel_of;
pub use self::destination::Destination;
pub(crate) use self::feed::Feed;
use self::hands::Hands;
pub use self::history::Attempt;
pub(crate) use self::history::History;
pub(crate) use self::load::Load;
#[cfg(feature = "http")]
pub(crate) use self::names::webhook_channel;
pub(crate) use self::names::{Name, queue_channel, stream_key, subscription_channel};
pub(crate) use self::parcel::Parcel;
pub use self::retry::{Death, Retry};
pub(crate) use self::stream::Consumer;
pub(crate) use self::stream::Journal;
use self::stream::{Consumers, Upkeep};
pub use self::stream::{EventStreamOptions, Position, StreamTrigger};
pub(crate) use self::summary::Summary;
pub use self::tally::DeliveryStats;
use self::tally::Tally;
#[cfg(feature = "cron")]
use self::timetable::Ticker;
#[cfg(feature = "cron")]
pub(crate) use self::timetable::Timetable;
#[cfg(feature = "cron")]
pub use self::timetable::{Missed, Overlap};
pub(crate) use self::topic::Topics;
#[cfg(feature = "http")]
pub use self::webhook::Webhook;
use crate::broker::{Channel, Store};
use crate::context::Context;
use crate::error::Error;
use crate::event::{Event, Response};
use crate::wall::Wall;

/// How many events are delivered at once unless set.
pub(crate) const DELIVERIES: usize = 256;

/// How long a store that has trouble is left alone.
const PAUSE: Duration = Duration::from_millis(500);

/// What serves events.
pub(crate) trait Host: Send + Sync + 'static {
    /// Returns how the events of a function are delivered; none if it is not deployed.
    fn policy(&self, function: &str) -> Option<Arc<Policy>>;

    /// Sends an event to a target, resolved now, and waits for the answer.
    fn invoke<'a>(
        &'a self,
        target: &'a str,
        context: Context,
        event: Event,
    ) -> BoxFuture<'a, Result<Response, Error>>;
}

/// How the submitted events of one function are delivered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    pub(crate) retry: Retry,
    /// How many of them at once.
    pub(crate) concurrency: usize,
    pub(crate) on_success: Vec<Destination>,
    pub(crate) on_failure: Vec<Destination>,
}

impl Policy {
    /// Tells what cannot work.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.retry.check().map_err(|reason| format!("retry: {reason}"))?;
        self.on_success.iter().chain(&self.on_failure).try_for_each(Destination::check)
    }

    /// Tells what cannot work where nothing else bounds how many run at once.
    pub(crate) fn check_feed(&self) -> Result<(), String> {
        match self.concurrency {
            0 => Err("concurrency is 0; give at least 1".into()),
            _ => self.check(),
        }
    }
}

/// Who serves which channel.
#[derive(Default)]
struct Posts {
    /// The channels that may hold messages.
    known: HashSet<Channel>,
    taken: HashMap<Channel, AbortHandle>,
    /// The channels whose messages come by triggers.
    feeds: HashMap<Channel, Arc<Feed>>,
    /// What submits events by itself, by name.
    tickers: HashMap<String, AbortHandle>,
}

/// Delivers what is kept.
pub(crate) struct Delivery {
    me: Weak<Self>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) wall: Wall,
    pub(crate) topics: Arc<Topics>,
    host: Weak<dyn Host>,
    hands: Hands,
    posts: Mutex<Posts>,
    consumers: Consumers,
    upkeep: Upkeep,
    /// Everything that is delivered right now.
    load: Arc<Load>,
    /// The shards that are read here, whether there is something to read or not.
    held: Arc<Load>,
    tally: Tally,
    room: Arc<Semaphore>,
    stopped: AtomicBool,
    dice: AtomicU64,
}

impl Delivery {
    /// Makes what delivers; it begins with [`begin`](Self::begin).
    pub(crate) fn new(
        (store, wall): (Arc<dyn Store>, Wall),
        host: Weak<dyn Host>,
        (threads, most): (usize, usize),
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            store,
            wall,
            topics: Arc::default(),
            host,
            hands: Hands::new(threads),
            posts: Mutex::default(),
            consumers: Consumers::default(),
            upkeep: Upkeep::default(),
            load: Arc::default(),
            held: Arc::default(),
            tally: Tally::default(),
            room: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
            stopped: AtomicBool::new(false),
            dice: AtomicU64::new(crate::context::RequestId::new().as_u128() as u64),
        })
    }

    /// Serves the channels of functions that are deployed, as soon as there are messages.
    pub(crate) fn begin(&self) {
        let me = Weak::clone(&self.me);
        self.store.on_channel(Box::new(move |channel| {
            if let Some(delivery) = me.upgrade() {
                delivery.posts.lock().known.insert(channel.clone());
                delivery.serve(channel);
            }
        }));
        self.topics.follow(&*self.store);
    }

    /// Hears that a function is deployed, and has the events delivered that wait for it.
    pub(crate) fn deployed(&self, function: &str) {
        self.serve(&channel_of(function));
        #[cfg(feature = "http")]
        self.serve(&webhook_channel(function));
        let feeds: Vec<Channel> = {
            let posts = self.posts.lock();
            let fed = posts.feeds.values().filter(|feed| feed.function == function);
            fed.map(|feed| feed.channel.clone()).collect()
        };
        feeds.iter().for_each(|channel| self.serve(channel));
        self.serve_streams();
    }

    /// Brings the messages of a channel to a function from now on; false if another feed does.
    pub(crate) fn add_feed(&self, feed: Feed) -> bool {
        let channel = feed.channel.clone();
        {
            let mut posts = self.posts.lock();
            if posts.feeds.contains_key(&channel) {
                return false;
            }
            posts.feeds.insert(channel.clone(), Arc::new(feed));
        }
        self.serve(&channel);
        true
    }

    /// Takes no more messages of a channel; what is under way goes on.
    pub(crate) fn remove_feed(&self, channel: &Channel) {
        let mut posts = self.posts.lock();
        if posts.feeds.remove(channel).is_some()
            && let Some(post) = posts.taken.remove(channel)
        {
            post.abort();
        }
    }

    /// Submits an event at each tick from now on, until the name is removed.
    #[cfg(feature = "cron")]
    pub(crate) fn add_timetable(&self, table: Timetable) {
        let Some(delivery) = self.me.upgrade() else { return };
        let mut posts = self.posts.lock();
        let name = table.name.clone();
        match self.spawn(Ticker { delivery, table }.run()) {
            Some(ticker) if self.is_stopped() => ticker.abort(),
            Some(ticker) => drop(posts.tickers.insert(name, ticker)),
            None => {}
        }
    }

    /// Ends what submits events by itself.
    #[cfg(feature = "cron")]
    pub(crate) fn remove_timetable(&self, name: &str) {
        if let Some(ticker) = self.posts.lock().tickers.remove(name) {
            ticker.abort();
        }
    }

    fn host(&self) -> Option<Arc<dyn Host>> {
        self.host.upgrade()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(SeqCst)
    }

    /// Runs something on the threads of delivery until it ends or delivery does.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> Option<AbortHandle> {
        Some(self.hands.handle()?.spawn(future).abort_handle())
    }

    /// Returns a number, each as likely as the other.
    fn random(&self) -> u64 {
        let mut z = self.dice.fetch_add(0x9e37_79b9_7f4a_7c15, SeqCst);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Takes no more events to be delivered; what is under way goes on.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, SeqCst);
        let mut posts = self.posts.lock();
        posts.taken.drain().for_each(|(_, post)| post.abort());
        posts.tickers.drain().for_each(|(_, ticker)| ticker.abort());
        drop(posts);
        self.stop_streams();
    }

    /// Waits until what is under way has ended, but only so long; then makes safe what became of it.
    pub(crate) async fn finish(&self, grace: Duration) {
        if self.load.count() + self.held.count() > 0
            && let Some(handle) = self.hands.handle()
        {
            let (load, held) = (Arc::clone(&self.load), Arc::clone(&self.held));
            let idle = async move {
                held.idle().await;
                load.idle().await;
            };
            // On the threads of delivery, as the caller may have no timers.
            let waited = handle.spawn(async move { drop(tokio::time::timeout(grace, idle).await) });
            // It is an error only if the threads have ended.
            let _ = waited.await;
        }
        self.store.close().await;
    }

    /// Drops what is under way, which gives it back, and lets the threads end.
    pub(crate) fn close(&self) -> Option<thread::JoinHandle<()>> {
        self.stop();
        self.hands.close()
    }
}
