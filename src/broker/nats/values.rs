//! Values by key, and who hears of changes in buckets.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::kv::{Operation, Store as Bucket};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::broker::nats::core::Core;
use crate::broker::nats::link::whole;
use crate::broker::nats::names;
use crate::broker::{Listener, Trouble};

const PAUSE: Duration = Duration::from_millis(200);

/// A key, and its new value if it has one.
type Change = (String, Option<Bytes>);

/// What is told to who keeps the listeners.
pub(super) enum Command {
    Listen(String, Listener<Change>),
    Changed(Change),
}

/// Tells listeners of changes, one after another, so that each hears them in order.
pub(super) async fn tell(mut commands: mpsc::UnboundedReceiver<Command>) {
    let (mut known, mut listeners) = (HashMap::<String, Bytes>::new(), Vec::new());
    while let Some(command) = commands.recv().await {
        match command {
            Command::Listen(prefix, listener) => {
                let fitting = known.iter().filter(|(key, _)| key.starts_with(&prefix));
                fitting.for_each(|(key, value)| listener(&(key.clone(), Some(value.clone()))));
                listeners.push((prefix, listener));
            }
            Command::Changed(change) => {
                let before = match &change.1 {
                    Some(value) => known.insert(change.0.clone(), value.clone()),
                    None => known.remove(&change.0),
                };
                // After a new connection everything is heard once more.
                if before == change.1 {
                    continue;
                }
                let fitting = listeners.iter().filter(|(prefix, _)| change.0.starts_with(prefix));
                fitting.for_each(|(_, listener)| listener(&change));
            }
        }
    }
}

impl Core {
    /// Removes a value; that it was removed is told.
    pub(super) async fn remove(&self, bucket: &Bucket, key: &str) -> Result<(), Trouble> {
        let remove = || async move { bucket.delete(key).await.map_err(whole) };
        self.link.steady("remove a value", remove).await
    }

    /// Hears of changes of a bucket for ever: of what there is, unless only news are wanted.
    async fn watch(&self, bucket: &Bucket, is_news: bool, changed: impl Fn(Change)) {
        loop {
            let watch = if is_news { bucket.watch_all().await } else { bucket.watch_with_history(">").await };
            if let Ok(mut watch) = watch {
                let reconnected = self.link.reconnected();
                tokio::pin!(reconnected);
                loop {
                    let entry = tokio::select! {
                        biased;
                        entry = watch.next() => entry,
                        () = &mut reconnected => break,
                    };
                    let Some(Ok(entry)) = entry else { break };
                    changed((entry.key, (entry.operation == Operation::Put).then_some(entry.value)));
                }
            }
            sleep(PAUSE).await;
        }
    }

    pub(super) async fn watch_values(self: Arc<Self>) {
        // Nobody listens only when the runtime ends.
        let told = |change| drop(self.values.send(Command::Changed(change)));
        self.watch(&self.stock.values, false, told).await;
    }

    pub(super) async fn watch_channels(self: Arc<Self>) {
        let told = |(key, value): Change| {
            let channel = names::channel(&key);
            let listeners = {
                let mut known = self.channels.lock();
                if value.is_none() || !known.0.insert(channel.clone()) {
                    return;
                }
                known.1.clone()
            };
            listeners.iter().for_each(|listener| listener(&channel));
        };
        self.watch(&self.stock.channels, false, told).await;
    }

    pub(super) async fn watch_cancelled(self: Arc<Self>) {
        let told = |(key, value): Change| {
            let Some(number) = key.rsplit('.').next().and_then(|number| number.parse().ok()) else { return };
            match value {
                Some(_) => drop(self.cancelled.lock().insert(number, Instant::now())),
                None => drop(self.cancelled.lock().remove(&number)),
            }
            self.call_all();
        };
        self.watch(&self.stock.cancelled, false, told).await;
    }

    /// Hears how far the keys of messages are, and lets the next go that wait here.
    pub(super) async fn watch_order(self: Arc<Self>) {
        let told = |(key, _): Change| {
            if let Some((channel, key)) = key.split_once('.') {
                self.call_next(&names::channel(channel), key);
            }
        };
        self.watch(&self.stock.order, true, told).await;
    }
}
