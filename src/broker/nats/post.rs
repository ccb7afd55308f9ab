//! Fetches the messages of one channel, as many as are wanted here and not many more.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer};
use futures_util::StreamExt;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, interval, sleep};

use crate::broker::Channel;
use crate::broker::lease::Handed;
use crate::broker::nats::core::Core;
use crate::broker::nats::link::whole;
use crate::broker::nats::names::Lane;
use crate::broker::nats::vet::Arrived;

/// How many messages wait here at most for somebody who pulls, unless more are asked for at once.
const MOST_READY: usize = 512;
/// How many that have come are taken at a time.
const TOGETHER: usize = 64;
/// How long one request for messages stands.
const STANDING: Duration = Duration::from_secs(10);
/// How long a message waits here before it is left to others, and a request stands that nobody wants any more.
const STALE: Duration = Duration::from_secs(1);
/// A batch that came faster is followed by a larger one.
const FAST: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(100);
/// How many may be handed out and not acknowledged, those that wait for another attempt among them.
const MOST_PENDING: i64 = 10_000_000;

/// The messages of one channel that are here.
pub(super) struct Post {
    pub(super) channel: Channel,
    ready: Mutex<VecDeque<(u64, Handed)>>,
    /// Something is ready, or all is over.
    pub(super) arrived: Notify,
    hungry: Notify,
    waiting: AtomicUsize,
    wanted: AtomicUsize,
    target: AtomicUsize,
    pulled: Mutex<Instant>,
    /// By key, what waits for those before it.
    pub(super) parked: Mutex<HashMap<Arc<str>, BTreeMap<u64, Arrived>>>,
    /// How often the next of a key was called; some keys share one.
    calls: [AtomicU32; 64],
}

/// Counts as one who waits until it is dropped.
pub(super) struct Waiting<'a>(&'a Post);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, SeqCst);
    }
}

impl Post {
    pub(super) fn new(channel: Channel) -> Self {
        Self {
            channel,
            ready: Mutex::default(),
            arrived: Notify::new(),
            hungry: Notify::new(),
            waiting: AtomicUsize::new(0),
            wanted: AtomicUsize::new(1),
            target: AtomicUsize::new(1),
            pulled: Mutex::new(Instant::now()),
            parked: Mutex::default(),
            calls: std::array::from_fn(|_| AtomicU32::new(0)),
        }
    }

    /// Counts the calls of a key.
    pub(super) fn calls(&self, key: &str) -> &AtomicU32 {
        let sum: usize = key.bytes().map(usize::from).sum();
        &self.calls[sum % self.calls.len()]
    }

    /// Counts one who waits for up to so many.
    pub(super) fn wait(&self, most: usize) -> Waiting<'_> {
        self.waiting.fetch_add(1, SeqCst);
        self.wanted.store(most, SeqCst);
        self.target.fetch_max(most.min(2 * MOST_READY), SeqCst);
        self.ask();
        Waiting(self)
    }

    fn ask(&self) {
        *self.pulled.lock() = Instant::now();
        self.hungry.notify_waiters();
    }

    pub(super) fn take(&self, most: usize) -> Vec<(u64, Handed)> {
        let taken: Vec<_> = {
            let mut ready = self.ready.lock();
            let count = most.min(ready.len());
            ready.drain(..count).collect()
        };
        if !taken.is_empty() {
            self.ask();
        }
        taken
    }

    pub(super) fn push(&self, sequence: u64, handed: Handed) {
        self.push_all([(sequence, handed)]);
    }

    /// Wakes who waits once for all, as a wake-up costs more than a message.
    fn push_all(&self, ready: impl IntoIterator<Item = (u64, Handed)>) {
        self.ready.lock().extend(ready);
        self.arrived.notify_waiters();
    }

    /// Takes out a message that is not to be handed out after all.
    pub(super) fn remove(&self, sequence: u64) {
        self.ready.lock().retain(|(ready, _)| *ready != sequence);
    }

    /// Takes what nobody wanted for a while.
    pub(super) fn take_stale(&self) -> Vec<u64> {
        if self.waiting.load(SeqCst) > 0 || self.pulled.lock().elapsed() < STALE {
            return Vec::new();
        }
        self.target.store(self.wanted.load(SeqCst), SeqCst);
        self.ready.lock().drain(..).map(|(sequence, _)| sequence).collect()
    }

    fn is_wanted(&self) -> bool {
        self.waiting.load(SeqCst) > 0 || self.pulled.lock().elapsed() < STALE
    }

    /// Returns how many more messages may come: none until half are gone, as each request costs as much as many messages.
    fn appetite(&self) -> usize {
        let target = self.target.load(SeqCst);
        let is_flowing = target > self.wanted.load(SeqCst) && self.pulled.lock().elapsed() < FAST * 2;
        if self.waiting.load(SeqCst) == 0 && !is_flowing {
            return 0;
        }
        let ready = self.ready.lock().len();
        if ready > target / 2 { 0 } else { target - ready }
    }

    async fn hunger(&self) -> usize {
        loop {
            let hungry = self.hungry.notified();
            let appetite = self.appetite();
            if appetite > 0 {
                return appetite;
            }
            hungry.await;
        }
    }

    fn grow(&self, took: Duration) {
        let target = self.target.load(SeqCst);
        if took < FAST && target < MOST_READY {
            self.target.store((target * 2).min(MOST_READY), SeqCst);
        }
    }
}

impl Core {
    /// Returns the post of a channel, which is manned when it is asked for first.
    pub(super) fn post(self: &Arc<Self>, channel: &Channel, runtime: &tokio::runtime::Handle) -> Arc<Post> {
        let mut posts = self.posts.lock();
        if let Some(post) = posts.get(channel) {
            return Arc::clone(post);
        }
        let post = Arc::new(Post::new(channel.clone()));
        posts.insert(channel.clone(), Arc::clone(&post));
        for lane in Lane::BOTH {
            runtime.spawn(Arc::clone(self).man(Arc::clone(&post), lane));
        }
        post
    }

    async fn man(self: Arc<Self>, post: Arc<Post>, lane: Lane) {
        let mut consumer = None;
        while !self.is_closed() {
            let wanted = post.hunger().await;
            let known = match consumer.take() {
                Some(known) => known,
                None => match self.consumer(&post.channel, lane).await {
                    Ok(made) => made,
                    Err(error) => {
                        tracing::warn!(error, "messages cannot be fetched; it is tried again");
                        sleep(PAUSE).await;
                        continue;
                    }
                },
            };
            match self.fetch(&known, (&post, lane), wanted).await {
                Ok(()) => consumer = Some(known),
                Err(error) => {
                    tracing::debug!(error, "messages could not be fetched; it is tried again");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Makes the consumer of one lane, unless it is there: that one is used as it is, as another ack wait would take from
    /// runtimes what they hold.
    async fn consumer(&self, channel: &Channel, lane: Lane) -> Result<PullConsumer, String> {
        let name = self.names.consumer(channel, lane);
        if let Ok(known) = self.stock.work.get_consumer::<Config>(&name).await {
            self.hold.heed(known.cached_info().config.ack_wait);
            return Ok(known);
        }
        let config = Config {
            durable_name: Some(name),
            filter_subject: self.names.work(channel, lane, ">"),
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.hold.ack_wait,
            max_deliver: -1,
            max_ack_pending: MOST_PENDING,
            max_waiting: 4096,
            ..Config::default()
        };
        let made = self.stock.work.create_consumer(config).await.map_err(whole)?;
        self.hold.heed(made.cached_info().config.ack_wait);
        Ok(made)
    }

    /// Has up to so many messages come, until they are not wanted any more.
    async fn fetch(
        self: &Arc<Self>,
        consumer: &PullConsumer,
        (post, lane): (&Arc<Post>, Lane),
        most: usize,
    ) -> Result<(), String> {
        let began = Instant::now();
        let batch = consumer.batch().max_messages(most).expires(STANDING).messages();
        let mut batch = batch.await.map_err(whole)?.ready_chunks(TOGETHER);
        let mut look = interval(STALE / 2);
        let mut count = 0;
        let reconnected = self.link.reconnected();
        tokio::pin!(reconnected);
        loop {
            tokio::select! {
                biased;
                messages = batch.next() => {
                    let Some(messages) = messages else { return Ok(()) };
                    count += self.arrive(post, lane, messages).map_err(|error| error.to_string())?;
                    if count >= most {
                        post.grow(began.elapsed());
                        return Ok(());
                    }
                }
                () = &mut reconnected => return Err("the connection was lost".into()),
                _ = look.tick() => {
                    if self.is_closed() || !post.is_wanted() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Takes what came; answers how many there were.
    fn arrive<E>(
        self: &Arc<Self>,
        post: &Arc<Post>,
        lane: Lane,
        messages: Vec<Result<Message, E>>,
    ) -> Result<usize, E> {
        let (mut ready, mut count, mut failed) = (Vec::with_capacity(messages.len()), 0, None);
        for message in messages {
            match message {
                Ok(message) => ready.extend(self.arrive_one(post, lane, message)),
                Err(error) => failed = Some(error),
            }
            count += 1;
        }
        if !ready.is_empty() {
            post.push_all(ready);
        }
        failed.map_or(Ok(count), Err)
    }

    /// Takes a message; answers it if there is nothing to be asked about it.
    fn arrive_one(self: &Arc<Self>, post: &Arc<Post>, lane: Lane, message: Message) -> Option<(u64, Handed)> {
        let (arrived, reply) = Arrived::read(message, &post.channel, lane)?;
        let is_plain = self.is_plain(&arrived);
        let sequence = arrived.place.sequence;
        {
            let mut desk = self.desk.lock();
            if !desk.take(&arrived.place, reply, self.link.connects()) {
                return None;
            }
            if is_plain {
                desk.ready(sequence, 0);
            }
        }
        if is_plain {
            return Some((sequence, arrived.handed(0, bytes::Bytes::new())));
        }
        tokio::spawn(Arc::clone(self).look_at(Arc::clone(post), arrived));
        None
    }

    pub(super) fn make_ready(&self, post: &Post, arrived: Arrived, (attempt, notes): (u32, bytes::Bytes)) {
        let sequence = arrived.place.sequence;
        if self.desk.lock().ready(sequence, attempt) {
            post.push(sequence, arrived.handed(attempt, notes));
        }
    }
}
