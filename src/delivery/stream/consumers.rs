//! Which streams are read here, and for how long.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::delivery::Delivery;
#[cfg(feature = "http")]
use crate::delivery::Destination;
use crate::delivery::stream::reader::{Left, Reader, TRY};
use crate::delivery::stream::{Consumer, Journal};

/// Which streams are read here, by the names of their triggers.
#[derive(Default)]
pub(crate) struct Consumers {
    posts: Mutex<HashMap<String, Post>>,
    /// A stream was made, or a function deployed.
    pub(super) changed: Notify,
}

struct Post {
    consumer: Arc<Consumer>,
    /// Dropped to have the readers end.
    running: Option<watch::Sender<()>>,
}

/// Tells a reader when it is to end.
#[derive(Clone)]
pub(super) struct Stop(watch::Receiver<()>);

impl Stop {
    async fn wait(&self) {
        let mut receiver = self.0.clone();
        // Nothing is ever sent: it is an error once the sender is gone.
        while receiver.changed().await.is_ok() {}
    }

    /// Waits for something, but no longer than until the end.
    pub(super) async fn or<T>(&self, future: impl Future<Output = T>) -> Result<T, Left> {
        match select(pin!(self.wait()), pin!(future)).await {
            Either::Left(_) => Err(Left::Stopped),
            Either::Right((done, _)) => Ok(done),
        }
    }
}

impl Delivery {
    /// Reads a stream for a function from now on, whenever it is deployed; false if a trigger of that name does.
    pub(crate) fn add_stream(&self, consumer: Consumer) -> bool {
        let name = consumer.name.clone();
        {
            let mut posts = self.consumers.posts.lock();
            if posts.contains_key(&name) {
                return false;
            }
            posts.insert(name, Post { consumer: Arc::new(consumer), running: None });
        }
        self.serve_streams();
        true
    }

    /// Reads no more for a trigger; a batch that is under way ends, and what it has done is noted. False if there is
    /// none of that name.
    pub(crate) fn remove_stream(&self, trigger: &str) -> bool {
        self.consumers.posts.lock().remove(trigger).is_some()
    }

    /// Returns where the triggers of a function send what they give up of streams.
    #[cfg(feature = "http")]
    pub(in crate::delivery) fn stream_destinations(&self, function: &str) -> Vec<Destination> {
        let posts = self.consumers.posts.lock();
        let consumers = posts.values().map(|post| &post.consumer);
        consumers
            .filter(|consumer| consumer.function == function)
            .flat_map(|c| c.on_failure.clone())
            .collect()
    }

    /// Begins to read what is to be read and is not, and wakes who waits for a function or a stream.
    pub(crate) fn serve_streams(&self) {
        let (Some(me), Some(host)) = (self.me.upgrade(), self.host()) else { return };
        self.consumers.changed.notify_waiters();
        let mut posts = self.consumers.posts.lock();
        if self.is_stopped() {
            return;
        }
        let idle = posts.values_mut().filter(|post| post.running.is_none());
        for post in idle.filter(|post| host.policy(&post.consumer.function).is_some()) {
            let (running, stop) = watch::channel(());
            let (delivery, consumer) = (Arc::clone(&me), Arc::clone(&post.consumer));
            if self.spawn(follow(delivery, consumer, Stop(stop))).is_some() {
                post.running = Some(running);
            }
        }
    }

    /// Has all readers end; they give back their shards when the batches that are under way have ended.
    pub(crate) fn stop_streams(&self) {
        self.consumers.posts.lock().values_mut().for_each(|post| post.running = None);
    }
}

/// Waits for a stream to be made, and then reads each shard of it.
async fn follow(delivery: Arc<Delivery>, consumer: Arc<Consumer>, stop: Stop) {
    let Ok(journal) = stop.or(found(&delivery, &consumer.stream)).await else { return };
    for number in 0..journal.shards() {
        let reader = Reader::new(&delivery, &consumer, (&journal, number), stop.clone());
        drop(delivery.spawn(reader.run()));
    }
}

/// Waits until there is a stream of that name.
async fn found(delivery: &Delivery, stream: &str) -> Journal {
    loop {
        let changed = pin!(delivery.consumers.changed.notified());
        match delivery.find_stream(stream).await {
            Ok(Some(journal)) => return journal,
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, stream, "a stream cannot be opened; it is tried again"),
        }
        // Another runtime may make it.
        let later = pin!(delivery.wall.until(delivery.wall.now().plus(TRY)));
        select(changed, later).await;
    }
}
