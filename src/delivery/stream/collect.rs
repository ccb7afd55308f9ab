//! Collects the records of one batch.

use std::collections::VecDeque;
use std::pin::pin;

use futures_util::future::{Either, select};

use crate::delivery::Batch;
use crate::delivery::stream::reader::{Left, Reader};
use crate::delivery::stream::record::{Record, together};

/// What was read and is in no batch yet.
pub(super) struct Ahead {
    /// The sequence that is read next.
    next: u64,
    records: VecDeque<Record>,
}

impl Ahead {
    pub(super) fn new(next: u64) -> Self {
        Self { next, records: VecDeque::new() }
    }

    /// Returns how many records the next batch has so far, and whether there can be no more.
    fn fill(&self, batch: &Batch) -> (usize, bool) {
        let count = together(self.records.iter(), (batch.most, batch.bytes));
        let is_full = count == batch.most || self.records.front().is_some_and(|first| first.death.is_some());
        (count, is_full || count < self.records.len())
    }
}

impl Reader {
    /// Waits for a record, and then for more, until there are enough or the window is over.
    ///
    /// # Cancel safety
    ///
    /// What was read stays ahead.
    pub(super) async fn collect(&self, ahead: &mut Ahead) -> Result<Vec<Record>, Left> {
        let batch = &self.consumer.batch;
        if ahead.records.is_empty() {
            self.read_on(ahead).await?;
        }
        let wall = &self.delivery.wall;
        let until = wall.now().plus(batch.window);
        while !batch.window.is_zero() && !ahead.fill(batch).1 {
            // What is there when the window ends still comes along.
            match select(pin!(self.read_on(ahead)), pin!(wall.until(until))).await {
                Either::Left((read, _)) => read?,
                Either::Right(_) => break,
            }
        }
        let (count, _) = ahead.fill(batch);
        Ok(ahead.records.drain(..count).collect())
    }

    async fn read_on(&self, ahead: &mut Ahead) -> Result<(), Left> {
        let most = self.consumer.batch.most.saturating_sub(ahead.records.len()).max(1);
        let most = (most, self.consumer.batch.bytes);
        let items = self.insist(|| self.delivery.store.read(&self.shard, ahead.next, most)).await?;
        for item in &items {
            ahead.next = item.sequence + 1;
            ahead.records.push_back(Record::read(item, self.shard.number, &self.consumer.target));
        }
        Ok(())
    }
}
