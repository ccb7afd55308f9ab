//! Keeps messages in memory, as long as the process lives.

mod channel;
mod ended;
mod logs;
mod shelf;
#[cfg(test)]
mod tests;
mod values;

use std::future::pending;
use std::pin::pin;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, ready, select};
use parking_lot::Mutex;
use tokio::sync::Notify;

use self::logs::Logs;
use self::shelf::Shelf;
pub(crate) use self::values::Values;
use crate::broker::lease::Handed;
use crate::broker::{
    Answer, Bounds, Cancel, Channel, Depth, Draft, Item, Kept, Lease, Letter, Listener, Shard, State, Store,
    SubmissionId, Token, Trouble, Verdict, Versioned,
};
use crate::wall::{Moment, Wall};

/// Keeps messages in memory.
pub(crate) struct Memory {
    me: Weak<Self>,
    wall: Wall,
    shelf: Mutex<Shelf>,
    logs: Mutex<Logs>,
    values: Values,
    channels: Mutex<Vec<Arc<Listener<Channel>>>>,
    /// Something was put, given back, settled or closed.
    changed: Notify,
    appended: Notify,
}

impl Memory {
    pub(crate) fn new(wall: Wall, bounds: Bounds) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            wall,
            shelf: Mutex::new(Shelf::new(bounds)),
            logs: Mutex::new(Logs::new(bounds)),
            values: Values::default(),
            channels: Mutex::default(),
            changed: Notify::new(),
            appended: Notify::new(),
        })
    }

    /// Does something on the shelf, and tells who waits for it.
    fn with<T>(&self, change: impl FnOnce(&mut Shelf, Moment) -> T) -> T {
        let now = self.wall.now();
        let (answer, fresh) = {
            let mut shelf = self.shelf.lock();
            let answer = change(&mut shelf, now);
            (answer, shelf.take_fresh())
        };
        self.changed.notify_waiters();
        if !fresh.is_empty() {
            let listeners = self.channels.lock().clone();
            fresh.iter().for_each(|channel| listeners.iter().for_each(|listener| listener(channel)));
        }
        answer
    }

    fn lease(&self, (token, handed): (Token, Handed)) -> Option<Lease> {
        let store = self.me.upgrade()?;
        Some(Lease::new(store, token, handed))
    }

    async fn wait(&self, channel: &Channel, most: usize) -> Result<Vec<Lease>, Trouble> {
        loop {
            let changed = self.changed.notified();
            let (handed, next) = self.shelf.lock().hand_out(channel, most.max(1), self.wall.now())?;
            if !handed.is_empty() {
                return Ok(handed.into_iter().filter_map(|handed| self.lease(handed)).collect());
            }
            let due = match next {
                Some(due) => Either::Left(self.wall.until(due)),
                None => Either::Right(pending()),
            };
            select(pin!(changed), pin!(due)).await;
        }
    }

    async fn wait_for_items(
        &self,
        shard: &Shard,
        from: u64,
        most: (usize, usize),
    ) -> Result<Vec<Item>, Trouble> {
        loop {
            let appended = self.appended.notified();
            let items = self.logs.lock().read(shard, from, most)?;
            if !items.is_empty() {
                return Ok(items);
            }
            appended.await;
        }
    }
}

/// Answers what is known at once.
fn at_once<'a, T: Send + 'a>(answer: Result<T, Trouble>) -> Answer<'a, T> {
    ready(answer).boxed()
}

impl Store for Memory {
    fn put(&self, drafts: Vec<Draft>) -> Answer<'_, Vec<Kept>> {
        at_once(self.with(|shelf, now| shelf.put(drafts, now)))
    }

    fn pull<'a>(&'a self, channel: &'a Channel, most: usize) -> Answer<'a, Vec<Lease>> {
        self.wait(channel, most).boxed()
    }

    fn settle(&self, token: Token, verdict: Verdict, then: Vec<Draft>) -> Answer<'_, ()> {
        at_once(self.with(|shelf, now| shelf.settle(token, verdict, then, now)))
    }

    fn give_back(&self, token: Token) {
        self.with(|shelf, now| shelf.give_back(token, now));
    }

    fn state<'a>(&'a self, id: &'a SubmissionId) -> Answer<'a, Option<State>> {
        at_once(Ok(self.with(|shelf, now| shelf.state(id, now))))
    }

    fn cancel<'a>(&'a self, id: &'a SubmissionId) -> Answer<'a, Cancel> {
        at_once(Ok(self.with(|shelf, now| shelf.cancel(id, now))))
    }

    fn letters<'a>(
        &'a self,
        channel: Option<&'a Channel>,
        after: u64,
        most: usize,
    ) -> Answer<'a, Vec<Letter>> {
        at_once(Ok(self.shelf.lock().letters(channel, after, most)))
    }

    fn letter<'a>(&'a self, id: &'a SubmissionId) -> Answer<'a, Option<Letter>> {
        at_once(Ok(self.shelf.lock().letter(id)))
    }

    fn revive<'a>(&'a self, id: &'a SubmissionId) -> Answer<'a, bool> {
        at_once(Ok(self.with(|shelf, now| shelf.revive(id, now))))
    }

    fn purge<'a>(&'a self, id: &'a SubmissionId) -> Answer<'a, bool> {
        at_once(Ok(self.with(|shelf, _| shelf.purge(id))))
    }

    fn depth<'a>(&'a self, channel: &'a Channel) -> Answer<'a, Depth> {
        at_once(Ok(self.shelf.lock().depth(channel)))
    }

    fn on_channel(&self, listener: Listener<Channel>) {
        let listener = Arc::new(listener);
        self.channels.lock().push(Arc::clone(&listener));
        let known = self.shelf.lock().channels();
        known.iter().for_each(|channel| listener(channel));
    }

    fn append<'a>(&'a self, shard: &'a Shard, payloads: Vec<Bytes>) -> Answer<'a, u64> {
        let last = self.logs.lock().append(shard, payloads, self.wall.now());
        self.appended.notify_waiters();
        at_once(last)
    }

    fn read<'a>(&'a self, shard: &'a Shard, from: u64, most: (usize, usize)) -> Answer<'a, Vec<Item>> {
        self.wait_for_items(shard, from, most).boxed()
    }

    fn end<'a>(&'a self, shard: &'a Shard) -> Answer<'a, u64> {
        at_once(Ok(self.logs.lock().end(shard)))
    }

    fn seek<'a>(&'a self, shard: &'a Shard, at: Moment) -> Answer<'a, u64> {
        at_once(Ok(self.logs.lock().seek(shard, at)))
    }

    fn trim<'a>(&'a self, shard: &'a Shard, before: Moment) -> Answer<'a, ()> {
        self.logs.lock().trim(shard, before);
        at_once(Ok(()))
    }

    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Versioned>> {
        at_once(Ok(self.values.get(key)))
    }

    fn swap<'a>(&'a self, key: &'a str, revision: Option<u64>, value: Bytes) -> Answer<'a, Option<u64>> {
        at_once(Ok(self.values.swap(key, revision, value)))
    }

    fn remove<'a>(&'a self, key: &'a str) -> Answer<'a, ()> {
        self.values.remove(key);
        at_once(Ok(()))
    }

    fn on_value(&self, prefix: &str, listener: Listener<(String, Option<Bytes>)>) {
        self.values.listen(prefix, listener);
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.with(|shelf, _| shelf.close());
        self.logs.lock().close();
        self.appended.notify_waiters();
        ready(()).boxed()
    }
}
