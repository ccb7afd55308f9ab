//! Values by key, and who hears of changes in buckets.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::kv::{Entry, Operation, Store as Bucket};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};

use crate::broker::nats::core::Core;
use crate::broker::nats::link::whole;
use crate::broker::nats::names;
use crate::broker::{Listener, Trouble};

const PAUSE: Duration = Duration::from_millis(200);

/// How many values are read at once.
const AT_ONCE: usize = 32;

/// A key, and its new value if it has one.
type Told = (String, Option<Bytes>);

/// What became of a value, and when.
pub(super) struct Change {
    key: String,
    value: Option<Bytes>,
    revision: u64,
}

/// What is told to who keeps the listeners.
pub(super) enum Command {
    /// Somebody listens, and waits until he has heard of what there is.
    Listen(String, Listener<Told>, oneshot::Sender<()>),
    Changed(Change),
}

/// Tells listeners of changes, one after another, so that each hears them in order.
pub(super) async fn tell(mut commands: mpsc::UnboundedReceiver<Command>) {
    let (mut known, mut listeners) = (Known::default(), Vec::new());
    while let Some(command) = commands.recv().await {
        match command {
            Command::Listen(prefix, listener, heard) => {
                known.tell(&prefix, &listener);
                listeners.push((prefix, listener));
                // Nobody waits when he has no more time.
                let _ = heard.send(());
            }
            Command::Changed(change) => {
                let Some(told) = known.note(change) else { continue };
                let fitting = listeners.iter().filter(|(prefix, _)| told.0.starts_with(prefix));
                fitting.for_each(|(_, listener)| listener(&told));
            }
        }
    }
}

/// The last that is known of each value.
#[derive(Default)]
struct Known(HashMap<String, (u64, Option<Bytes>)>);

impl Known {
    fn tell(&self, prefix: &str, listener: &Listener<Told>) {
        for (key, (_, value)) in self.0.iter().filter(|(key, _)| key.starts_with(prefix)) {
            if value.is_some() {
                listener(&(key.clone(), value.clone()));
            }
        }
    }

    /// Notes a change; answers what is new of it, as everything is heard once more after a new connection.
    fn note(&mut self, Change { key, value, revision }: Change) -> Option<Told> {
        match self.0.get_mut(&key) {
            Some(known) if known.0 >= revision => None,
            Some(known) => {
                let is_new = known.1 != value;
                *known = (revision, value.clone());
                is_new.then_some((key, value))
            }
            None => {
                let is_new = value.is_some();
                self.0.insert(key.clone(), (revision, value.clone()));
                is_new.then_some((key, value))
            }
        }
    }
}

impl From<Entry> for Change {
    fn from(entry: Entry) -> Self {
        let value = (entry.operation == Operation::Put).then_some(entry.value);
        Self { key: entry.key, value, revision: entry.revision }
    }
}

impl Core {
    /// Removes a value; that it was removed is told.
    pub(super) async fn remove(&self, bucket: &Bucket, key: &str) -> Result<(), Trouble> {
        let remove = || async move { bucket.delete(key).await.map_err(whole) };
        self.link.steady("remove a value", remove).await
    }

    /// Has somebody hear of values; ends when he has heard of those that the servers have now.
    pub(super) async fn listen(&self, prefix: String, listener: Listener<Told>) -> Result<(), Trouble> {
        let found = self.find_values(&prefix).await;
        let (heard, has_heard) = oneshot::channel();
        // Nobody takes commands only when the thread ends, and then nothing changes any more.
        for change in found.as_ref().into_iter().flatten() {
            let change = Change { key: change.key.clone(), value: change.value.clone(), ..*change };
            let _ = self.values.send(Command::Changed(change));
        }
        let _ = self.values.send(Command::Listen(prefix, listener, heard));
        let _ = has_heard.await;
        found.map(drop)
    }

    async fn find_values(&self, prefix: &str) -> Result<Vec<Change>, Trouble> {
        let bucket = &self.stock.values;
        let find = || async move {
            let keys = bucket.keys().await.map_err(whole)?;
            let keys = keys.try_filter(|key| std::future::ready(key.starts_with(prefix)));
            let entries =
                keys.map_err(whole).map_ok(|key| async move { bucket.entry(key).await.map_err(whole) });
            let entries: Vec<_> = entries.try_buffer_unordered(AT_ONCE).try_collect().await?;
            Ok::<_, String>(entries.into_iter().flatten().map(Change::from).collect())
        };
        self.link.steady("read values", find).await
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
                    changed(entry.into());
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
        let told = |Change { key, value, .. }: Change| {
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
        let told = |Change { key, value, .. }: Change| {
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
        let told = |Change { key, .. }: Change| {
            if let Some((channel, key)) = key.split_once('.') {
                self.call_next(&names::channel(channel), key);
            }
        };
        self.watch(&self.stock.order, true, told).await;
    }
}
