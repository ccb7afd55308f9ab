//! Streams in memory.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use crate::broker::{Bounds, Item, Shard, Trouble};
use crate::wall::Moment;

/// The items of all shards of all streams.
pub(super) struct Logs {
    bounds: Bounds,
    shards: HashMap<Shard, Log>,
    bytes: u64,
    closed: bool,
}

#[derive(Default)]
struct Log {
    items: VecDeque<Item>,
    last: u64,
    last_at: Moment,
}

impl Logs {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, shards: HashMap::new(), bytes: 0, closed: false }
    }

    pub(super) fn append(
        &mut self,
        shard: &Shard,
        payloads: Vec<Bytes>,
        now: Moment,
    ) -> Result<u64, Trouble> {
        if self.closed {
            return Err(Trouble::Closed);
        }
        let more = payloads.iter().map(size).sum::<u64>();
        if self.bytes.saturating_add(more) > self.bounds.bytes {
            return Err(Trouble::Full(self.bounds));
        }
        self.bytes += more;
        let log = self.shards.entry(shard.clone()).or_default();
        // The moments never go back, so that they can be searched.
        log.last_at = log.last_at.max(now);
        let at = log.last_at;
        for payload in payloads {
            log.last += 1;
            log.items.push_back(Item { sequence: log.last, at, payload });
        }
        Ok(log.last)
    }

    pub(super) fn read(
        &self,
        shard: &Shard,
        from: u64,
        (items, bytes): (usize, usize),
    ) -> Result<Vec<Item>, Trouble> {
        if self.closed {
            return Err(Trouble::Closed);
        }
        let Some(log) = self.shards.get(shard) else { return Ok(Vec::new()) };
        let first = log.items.partition_point(|item| item.sequence < from);
        let mut room = bytes;
        let fits = |item: &&Item| {
            let fits = room == bytes || item.payload.len() <= room;
            room = room.saturating_sub(item.payload.len().max(1));
            fits
        };
        Ok(log.items.range(first..).take(items.max(1)).take_while(fits).cloned().collect())
    }

    pub(super) fn end(&self, shard: &Shard) -> u64 {
        self.shards.get(shard).map_or(1, |log| log.last + 1)
    }

    pub(super) fn seek(&self, shard: &Shard, at: Moment) -> u64 {
        let Some(log) = self.shards.get(shard) else { return 1 };
        let first = log.items.partition_point(|item| item.at < at);
        log.items.get(first).map_or(log.last + 1, |item| item.sequence)
    }

    pub(super) fn trim(&mut self, shard: &Shard, before: Moment) {
        if let Some(log) = self.shards.get_mut(shard) {
            let first = log.items.partition_point(|item| item.at < before);
            self.bytes -= log.items.drain(..first).map(|item| size(&item.payload)).sum::<u64>();
        }
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
    }
}

/// What an item is taken to cost.
fn size(payload: &Bytes) -> u64 {
    payload.len() as u64 + 64
}
