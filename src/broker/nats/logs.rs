//! Streams: items in the order of each shard, all in one stream of the servers.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;
use tokio::time::timeout;

use crate::broker::nats::core::Core;
use crate::broker::nats::link::whole;
use crate::broker::nats::vet::moment;
use crate::broker::{Item, Shard, Trouble};
use crate::wall::Moment;

/// How long a reader waits before it looks whether it has missed something.
const LOOK: Duration = Duration::from_secs(2);

impl Core {
    /// Appends items; when some cannot be kept, those that were are taken back.
    pub(super) async fn append(self: Arc<Self>, shard: Shard, payloads: Vec<Bytes>) -> Result<u64, Trouble> {
        self.check_open()?;
        if payloads.is_empty() {
            return Ok(self.end(shard).await? - 1);
        }
        payloads.iter().try_for_each(|payload| self.check_size(payload.len()))?;
        let subject = self.names.log(&shard);
        let each = payloads.into_iter().map(|payload| {
            let message = PublishMessage::build().payload(payload);
            self.link.publish(&subject, message)
        });
        let kept = join_all(each).await;
        if let Some(Err(trouble)) = kept.iter().find(|kept| kept.is_err()) {
            for (sequence, _) in kept.iter().flatten() {
                self.link.delete(&self.stock.log, *sequence).await?;
            }
            return Err(trouble.clone());
        }
        Ok(kept.into_iter().flatten().map(|(sequence, _)| sequence).max().unwrap_or(0))
    }

    pub(super) async fn read_log(
        self: Arc<Self>,
        shard: Shard,
        from: u64,
        most: (usize, usize),
    ) -> Result<Vec<Item>, Trouble> {
        let subject = self.names.log(&shard);
        loop {
            self.check_open()?;
            let items = self.items(&subject, from, most).await?;
            if !items.is_empty() {
                return Ok(items);
            }
            // Subscribed before it is looked once more, so that nothing comes unheard.
            let heard = self.link.client.subscribe(subject.clone()).await;
            let mut heard = heard.map_err(|error| self.link.trouble("wait for an item", error))?;
            // Its answer is an error only when the connection is lost, and then the next look is late, not wrong.
            let _ = timeout(LOOK, self.link.client.flush()).await;
            let items = self.items(&subject, from, most).await?;
            if !items.is_empty() {
                return Ok(items);
            }
            let _ = timeout(LOOK, heard.next()).await;
        }
    }

    async fn items(
        &self,
        subject: &str,
        from: u64,
        (most, bytes): (usize, usize),
    ) -> Result<Vec<Item>, Trouble> {
        let (mut items, mut next, mut room) = (Vec::new(), from.max(1), bytes);
        while items.len() < most.max(1) {
            let Some(message) = self.link.next(&self.stock.log, subject, next).await? else { break };
            if !items.is_empty() && message.payload.len() > room {
                break;
            }
            next = message.sequence + 1;
            room = room.saturating_sub(message.payload.len().max(1));
            let (sequence, at, payload) = (message.sequence, moment(message.time), message.payload);
            items.push(Item { sequence, at, payload });
        }
        Ok(items)
    }

    pub(super) async fn end(&self, shard: Shard) -> Result<u64, Trouble> {
        let subject = self.names.log(&shard);
        let last = || async {
            match self.stock.log.get_last_raw_message_by_subject(&subject).await {
                Ok(message) => Ok(message.sequence),
                // All were trimmed, or none came yet.
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
                    Ok(self.stock.log.get_info().await.map_err(whole)?.state.last_sequence)
                }
                Err(error) => Err(whole(error)),
            }
        };
        Ok(self.link.steady("find the end of a stream", last).await? + 1)
    }

    /// Finds the first item that came at a moment or later, by halves, as times grow with sequences.
    pub(super) async fn seek(&self, shard: Shard, at: Moment) -> Result<u64, Trouble> {
        let subject = self.names.log(&shard);
        let (mut low, mut high) = (1, self.end(shard).await?);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.link.next(&self.stock.log, &subject, middle).await? {
                Some(message) if moment(message.time) < at => low = message.sequence + 1,
                Some(_) | None => high = middle,
            }
        }
        let first = self.link.next(&self.stock.log, &subject, low).await?;
        Ok(first.map_or(low, |message| message.sequence))
    }

    pub(super) async fn trim(&self, shard: Shard, before: Moment) -> Result<(), Trouble> {
        let subject = self.names.log(&shard);
        let first = self.seek(shard, before).await?;
        // Nobody consumes this stream, whose consumers such a purge would confuse.
        let purge = || {
            let purge = self.stock.log.purge().filter(subject.clone()).sequence(first);
            async move { purge.await.map_err(whole) }
        };
        self.link.steady("trim a stream", purge).await.map(drop)
    }
}
