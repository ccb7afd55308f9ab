//! The order of messages of one key: a mark says which was over last, and the first behind it may go.
//!
//! The servers may forget that messages were acknowledged, but not where the mark stands.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use crate::broker::nats::core::Core;
use crate::broker::nats::desk::Place;
use crate::broker::nats::names;
use crate::broker::nats::post::Post;
use crate::broker::nats::vet::{Arrived, Fate, NUMBER, header};
use crate::broker::{Channel, Trouble};

/// How many messages of a channel wait here for those before them.
const MOST_PARKED: usize = 1_000;
const PAUSE: Duration = Duration::from_millis(500);
/// How long those are sent away for which there is no room: longer the further behind they stand.
const SHORTEST: u64 = 100;
const LONGEST: u64 = 5_000;

/// Where a message stands among those of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    First,
    /// It is not over as the servers know it, but it is.
    Over,
    /// The first is at this sequence.
    Behind(u64),
}

fn mark_key(channel: &Channel, key: &str) -> String {
    format!("{}.{key}", names::token(channel))
}

impl Core {
    async fn mark(&self, key: &str) -> Result<(u64, Option<u64>), Trouble> {
        let mark = self.record::<u64>(&self.stock.order, key).await?;
        Ok(mark.map_or((0, None), |(mark, revision)| (mark, Some(revision))))
    }

    pub(super) async fn stands(&self, place: &Place) -> Result<Stand, Trouble> {
        let (mut behind, _) = self.mark(&mark_key(&place.channel, &place.key)).await?;
        if place.sequence <= behind {
            return Ok(Stand::Over);
        }
        let subject = self.names.work(&place.channel, place.lane, &place.key);
        loop {
            let first = self.link.next(&self.stock.work, &subject, behind + 1).await?;
            // What was just deleted, or is beyond this one, cannot stand before it.
            let Some(first) = first.filter(|first| first.sequence < place.sequence) else {
                return Ok(Stand::First);
            };
            let number = header(Some(&first.headers), NUMBER);
            let number = number.and_then(|number| number.parse().ok()).unwrap_or(first.sequence);
            let first = Place { sequence: first.sequence, number, ..place.clone() };
            if !self.is_cancelled(&first).await? {
                return Ok(Stand::Behind(first.sequence));
            }
            behind = first.sequence;
        }
    }

    /// Moves the mark to a message that is over, and lets the next go.
    pub(super) async fn pass(self: &Arc<Self>, place: &Place) -> Result<(), Trouble> {
        if !place.is_keyed() {
            return Ok(());
        }
        let key = mark_key(&place.channel, &place.key);
        loop {
            let (mark, revision) = self.mark(&key).await?;
            if mark >= place.sequence
                || self.swap_record(&self.stock.order, &key, revision, &place.sequence).await?
            {
                break;
            }
        }
        self.call_next(&place.channel, &place.key);
        Ok(())
    }

    /// Has the first that waits here for a key looked at again.
    pub(super) fn call_next(self: &Arc<Self>, channel: &Channel, key: &str) {
        let Some(post) = self.posts.lock().get(channel).cloned() else { return };
        post.calls(key).fetch_add(1, SeqCst);
        let known = post.parked.lock().get_key_value(key).map(|(key, _)| Arc::clone(key));
        if let Some(key) = known {
            tokio::spawn(Arc::clone(self).look_at_first(post, key));
        }
    }

    /// Has the first of every key looked at again that waits here, as a call may have been missed.
    pub(super) fn call_all(self: &Arc<Self>) {
        let posts: Vec<_> = self.posts.lock().values().cloned().collect();
        for post in posts {
            let keys: Vec<_> = post.parked.lock().keys().cloned().collect();
            let call = {
                let core = Arc::clone(self);
                async move {
                    for key in keys {
                        Arc::clone(&core).look_at_first(Arc::clone(&post), key).await;
                    }
                }
            };
            tokio::spawn(call);
        }
    }

    /// Has a message wait for those before it.
    pub(super) async fn queue_up(self: Arc<Self>, post: Arc<Post>, arrived: Arrived) {
        let key = Arc::clone(&arrived.place.key);
        post.parked.lock().entry(Arc::clone(&key)).or_default().insert(arrived.place.sequence, arrived);
        self.look_at_first(post, key).await;
    }

    async fn look_at_first(self: Arc<Self>, post: Arc<Post>, key: Arc<str>) {
        // Whoever takes it out decides; meanwhile it is not there for others, who look at the next and find it behind.
        while let Some(arrived) = take_first(&post, &key) {
            let sequence = arrived.place.sequence;
            if self.desk.lock().get(sequence).is_none() {
                continue;
            }
            let calls = post.calls(&key).load(SeqCst);
            match self.fate(&arrived).await {
                Ok(Fate::Ready { attempt, notes }) => {
                    self.make_ready(&post, arrived, (attempt, notes));
                    return;
                }
                Ok(Fate::Over) => self.acknowledge(sequence).await,
                Ok(Fate::Later(time)) => {
                    self.put_off(sequence, time).await;
                    return;
                }
                Ok(Fate::Behind(first)) => {
                    self.park(&post, arrived, first).await;
                    // Who called while it was out of sight was not heard.
                    if post.calls(&key).load(SeqCst) == calls {
                        return;
                    }
                }
                Err(trouble) => {
                    tracing::warn!(?trouble, "a message cannot be looked at; it is tried again");
                    self.put_off(sequence, PAUSE).await;
                    return;
                }
            }
        }
    }

    async fn park(&self, post: &Post, arrived: Arrived, first: u64) {
        let sequence = arrived.place.sequence;
        let away = {
            let mut parked = post.parked.lock();
            let count: usize = parked.values().map(std::collections::BTreeMap::len).sum();
            if count < MOST_PARKED {
                parked.entry(Arc::clone(&arrived.place.key)).or_default().insert(sequence, arrived);
                None
            } else {
                Some(Duration::from_millis((sequence - first).clamp(SHORTEST, LONGEST)))
            }
        };
        if let Some(time) = away {
            self.put_off(sequence, time).await;
        }
    }
}

fn take_first(post: &Post, key: &Arc<str>) -> Option<Arrived> {
    let mut parked = post.parked.lock();
    let of_key = parked.get_mut(key)?;
    let first = of_key.pop_first().map(|(_, arrived)| arrived);
    if of_key.is_empty() {
        parked.remove(key);
    }
    first
}
