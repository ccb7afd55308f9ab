//! Who gets what is published to a topic.
//!
//! Subscriptions are kept by the store, so that all runtimes on it know them and nothing is missed while the one that
//! serves a subscription is away. An event is kept once for each subscription that wants it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use parking_lot::Mutex;

use crate::broker::{Channel, Draft, Store, Trouble};
use crate::delivery::Parcel;
use crate::delivery::names::{subscription_channel, subscription_key};
use crate::event::Event;
use crate::filter::Filter;
use crate::wall::Moment;

/// What the keys of subscriptions begin with.
const PREFIX: &str = "topic.";

/// The subscriptions of all topics.
#[derive(Default)]
pub(crate) struct Topics {
    known: ArcSwap<HashMap<String, Subscriptions>>,
    changing: Mutex<()>,
}

/// Of one topic, by name.
type Subscriptions = BTreeMap<String, Option<Arc<Filter>>>;

impl Topics {
    /// Follows what the store knows.
    pub(crate) fn follow(self: &Arc<Self>, store: &dyn Store) {
        let topics = Arc::downgrade(self);
        store.on_value(
            PREFIX,
            Box::new(move |(key, value)| {
                if let Some(topics) = topics.upgrade() {
                    topics.note(key, value.as_ref());
                }
            }),
        );
    }

    fn note(&self, key: &str, value: Option<&Bytes>) {
        let Some((topic, name)) = key.strip_prefix(PREFIX).and_then(|rest| rest.split_once('.')) else {
            return;
        };
        let _changing = self.changing.lock();
        let mut known = HashMap::clone(&self.known.load());
        let subscriptions = known.entry(topic.into()).or_default();
        match value.map(parse) {
            Some(filter) => drop(subscriptions.insert(name.into(), filter)),
            None => drop(subscriptions.remove(name)),
        }
        if subscriptions.is_empty() {
            known.remove(topic);
        }
        self.known.store(Arc::new(known));
    }

    /// Makes a subscription, or gives it another filter.
    pub(crate) async fn subscribe(
        &self,
        store: &dyn Store,
        (topic, name): (&str, &str),
        filter: Option<&str>,
    ) -> Result<(), Trouble> {
        let key = subscription_key(topic, name);
        let value = Bytes::copy_from_slice(filter.unwrap_or_default().as_bytes());
        loop {
            let known = store.get(&key).await?;
            if known.as_ref().is_some_and(|known| known.value == value) {
                break;
            }
            let revision = known.map(|known| known.revision);
            if store.swap(&key, revision, value.clone()).await?.is_some() {
                break;
            }
        }
        // The store tells of it, too, but maybe later than the first event is published here.
        self.note(&key, Some(&value));
        Ok(())
    }

    /// Ends a subscription; what it has not got yet stays in its channel.
    pub(crate) async fn unsubscribe(
        &self,
        store: &dyn Store,
        (topic, name): (&str, &str),
    ) -> Result<(), Trouble> {
        let key = subscription_key(topic, name);
        store.remove(&key).await?;
        self.note(&key, None);
        Ok(())
    }

    pub(crate) fn subscriptions(&self, topic: &str) -> Vec<String> {
        let known = self.known.load();
        known.get(topic).map(|subscriptions| subscriptions.keys().cloned().collect()).unwrap_or_default()
    }

    /// Returns the channels of the subscriptions that want an event.
    pub(crate) fn wanting(&self, topic: &str, event: &Event) -> Vec<Channel> {
        let known = self.known.load();
        let Some(subscriptions) = known.get(topic) else { return Vec::new() };
        let wants = |filter: &Option<Arc<Filter>>| filter.as_ref().is_none_or(|filter| filter.matches(event));
        let fitting = subscriptions.iter().filter(|(_, filter)| wants(filter));
        fitting.map(|(name, _)| subscription_channel(topic, name)).collect()
    }

    /// Returns how many topics have subscriptions.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.known.load().len()
    }

    /// Makes a message for each subscription that wants the event.
    pub(crate) fn drafts(&self, topic: &str, parcel: &Parcel, due: Moment) -> Vec<Draft> {
        let channels = self.wanting(topic, &parcel.event);
        if channels.is_empty() {
            return Vec::new();
        }
        let payload = parcel.encode();
        let draft = |channel| Draft { channel, payload: payload.clone(), key: None, due, once: None };
        channels.into_iter().map(draft).collect()
    }
}

/// Reads a filter that was checked when it was kept; one of another version that is not understood lets all pass.
fn parse(value: &Bytes) -> Option<Arc<Filter>> {
    let text = std::str::from_utf8(value).ok().filter(|text| !text.is_empty())?;
    match Filter::parse(text) {
        Ok(filter) => Some(Arc::new(filter)),
        Err(error) => {
            tracing::error!(%error, "a subscription's filter is not understood; it gets every event");
            None
        }
    }
}
