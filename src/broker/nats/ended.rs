//! What became of messages, written many at a time before the servers hear that they are over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use tokio::time::{sleep, timeout};

use crate::broker::Trouble;
use crate::broker::nats::core::{ACK, Core};
use crate::broker::nats::desk::Held;
use crate::broker::nats::records::{self, Endings};

/// How long endings wait for others to be written with.
const TOGETHER: Duration = Duration::from_millis(10);
const PAUSE: Duration = Duration::from_millis(200);
/// So many are written at once, without waiting for others.
const MANY: usize = 256;
/// How many bytes of summaries are written at a time.
const MOST_BYTES: usize = 256 << 10;

/// That a message is done.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    pub(super) number: u64,
    pub(super) sequence: u64,
    pub(super) summary: Bytes,
}

impl Core {
    /// Writes endings as they come, and lets their messages go.
    pub(super) async fn write_endings(self: Arc<Self>) {
        loop {
            // An error means that nobody called, and then it is time.
            let _ = timeout(TOGETHER, self.many_ended.notified()).await;
            if let Err(trouble) = self.flush_endings().await {
                tracing::warn!(?trouble, "endings cannot be written; it is tried again");
                sleep(PAUSE).await;
            }
        }
    }

    /// Writes the endings that there are.
    pub(super) async fn flush_endings(&self) -> Result<(), Trouble> {
        // Who closes the store must not give back what is being written.
        let _writing = self.writing.lock().await;
        let endings = std::mem::take(&mut *self.endings.lock());
        if endings.is_empty() {
            return Ok(());
        }
        if let Err(trouble) = self.record_endings(&endings).await {
            self.endings.lock().extend(endings);
            return Err(trouble);
        }
        let held: Vec<_> = {
            let mut desk = self.desk.lock();
            endings.iter().filter_map(|ending| desk.release(ending.sequence)).collect()
        };
        for Held { reply, .. } in held {
            self.link.send(reply, ACK).await;
        }
        Ok(())
    }

    /// Has an ending written soon.
    pub(super) fn note_ending(&self, ending: Ending) {
        let mut endings = self.endings.lock();
        endings.push(ending);
        if endings.len() == MANY {
            self.many_ended.notify_one();
        }
    }

    pub(super) async fn record_endings(&self, endings: &[Ending]) -> Result<(), Trouble> {
        for (subject, group) in self.in_groups(endings) {
            let message = PublishMessage::build().payload(records::encode(&group));
            self.link.publish(&subject, message).await?;
        }
        Ok(())
    }

    fn most_of_summaries(&self) -> usize {
        MOST_BYTES.min(self.most_payload() / 3)
    }

    /// Returns a summary or notes; nothing if they are so large that a server might refuse them.
    pub(super) fn fitting(&self, text: Bytes) -> Bytes {
        let most = self.most_of_summaries();
        if text.len() <= most {
            return text;
        }
        tracing::warn!(size = text.len(), most, "a summary or notes are dropped, as they are too large");
        Bytes::new()
    }

    fn in_groups(&self, endings: &[Ending]) -> Vec<(String, Endings)> {
        let mut open: BTreeMap<String, (usize, Endings)> = BTreeMap::new();
        let mut full = Vec::new();
        for Ending { number, summary, .. } in endings {
            let subject = self.names.ended(*number);
            let (size, group) = open.entry(subject.clone()).or_default();
            group.push((*number, summary.to_vec()));
            *size += summary.len();
            if *size > self.most_of_summaries() {
                full.push((subject, std::mem::take(group)));
                *size = 0;
            }
        }
        let open = open.into_iter().map(|(subject, (_, group))| (subject, group));
        full.into_iter().chain(open).filter(|(_, group)| !group.is_empty()).collect()
    }

    /// Finds how a message ended.
    pub(super) async fn ending(&self, number: u64) -> Result<Option<Bytes>, Trouble> {
        let subject = self.names.ended(number);
        let mut from = 1;
        while let Some(message) = self.link.next(&self.stock.ended, &subject, from).await? {
            let endings: Endings = records::decode(&message.payload).unwrap_or_default();
            if let Some((_, summary)) = endings.into_iter().find(|(known, _)| *known == number) {
                return Ok(Some(summary.into()));
            }
            from = message.sequence + 1;
        }
        Ok(None)
    }
}
