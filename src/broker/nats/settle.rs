//! Ends leases.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;

use crate::broker::nats::core::Core;
use crate::broker::nats::desk::{Held, Place};
use crate::broker::nats::ended::Ending;
use crate::broker::nats::names;
use crate::broker::nats::records::{self, Failed, Grave};
use crate::broker::nats::vet::MESSAGE_ID;
use crate::broker::{Draft, Token, Trouble, Verdict};

impl Core {
    /// Ends a lease at once if nothing but its ending is to be written; gives back what is more than that.
    pub(super) fn settle_plainly(&self, token: Token, verdict: Verdict, then: &[Draft]) -> Option<Verdict> {
        let Verdict::Done { summary } = verdict else { return Some(verdict) };
        let summary = self.fitting(summary);
        let mut desk = self.desk.lock();
        let held = desk.out(token)?;
        let is_plain =
            held.attempt == 0 && held.place.number == held.place.sequence && !held.place.is_keyed();
        if !is_plain || !then.is_empty() {
            return Some(Verdict::Done { summary });
        }
        if let Some(Held { place, .. }) = desk.end_lease(token) {
            let ending = Ending { number: place.number, sequence: place.sequence, summary };
            self.note_ending(ending);
        }
        None
    }

    pub(super) async fn settle(
        self: Arc<Self>,
        token: Token,
        verdict: Verdict,
        then: Vec<Draft>,
    ) -> Result<(), Trouble> {
        let Some(held) = self.desk.lock().begin_ending(token) else { return Ok(()) };
        let sequence = held.place.sequence;
        let settled = self.conclude(held, verdict, then).await;
        let is_left = {
            let mut desk = self.desk.lock();
            let is_awaited = desk.is_awaited(token);
            if settled.is_err() && is_awaited {
                desk.resume_lease(token, sequence);
            }
            settled.is_err() && !is_awaited
        };
        if is_left {
            self.put_off(sequence, Duration::ZERO).await;
        }
        settled
    }

    async fn conclude(
        self: &Arc<Self>,
        held: Held,
        verdict: Verdict,
        then: Vec<Draft>,
    ) -> Result<(), Trouble> {
        let place = &held.place;
        let cause = format!("then.{}.{}", place.sequence, held.attempt);
        self.put_each(then, Some(&cause)).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        match verdict {
            Verdict::Done { summary } => self.finish(&held, summary).await,
            Verdict::Again { due, attempt, notes } => {
                let notes = self.fitting(notes);
                self.write_down(place, Failed { due: due.0, attempt, notes: notes.into(), at: None }).await?;
                self.put_off(place.sequence, due.since(self.now())).await;
                Ok(())
            }
            Verdict::Dead { notes } => self.bury(&held, &notes).await,
        }
    }

    async fn write_down(&self, place: &Place, failed: Failed) -> Result<(), Trouble> {
        let at = (place.number != place.sequence).then_some(place.sequence);
        let key = names::message_key(&place.channel, place.number);
        self.write(&self.stock.failed, &key, records::encode(&Failed { at, ..failed })).await
    }

    /// Forgets what is known of failures.
    async fn clear(&self, held: &Held) -> Result<(), Trouble> {
        let place = &held.place;
        if held.attempt == 0 && place.number == place.sequence {
            return Ok(());
        }
        self.erase(&self.stock.failed, &names::message_key(&place.channel, place.number)).await
    }

    async fn finish(self: &Arc<Self>, held: &Held, summary: Bytes) -> Result<(), Trouble> {
        let place = &held.place;
        let summary = self.fitting(summary);
        let ending = Ending { number: place.number, sequence: place.sequence, summary };
        if place.is_keyed() {
            self.record_endings(&[ending]).await?;
            self.pass(place).await?;
            self.clear(held).await?;
            self.acknowledge(place.sequence).await;
        } else {
            self.clear(held).await?;
            self.note_ending(ending);
        }
        Ok(())
    }

    async fn bury(self: &Arc<Self>, held: &Held, notes: &[u8]) -> Result<(), Trouble> {
        let place = &held.place;
        let Some(message) = self.link.get(&self.stock.work, place.sequence).await? else {
            // It was buried before, and let go, but the answer was lost.
            self.acknowledge(place.sequence).await;
            return Ok(());
        };
        let mut grave = Grave {
            sequence: place.sequence,
            key: place.key.as_ref().to_owned(),
            notes: notes.to_vec(),
            payload: message.payload.to_vec(),
        };
        if grave.notes.len() + grave.payload.len() > self.most_payload() {
            tracing::warn!(
                number = place.number,
                "the notes of a dead letter are dropped, as both are too large"
            );
            grave.notes.clear();
        }
        let message = PublishMessage::build()
            .payload(records::encode(&grave))
            .header(MESSAGE_ID, format!("dead.{}", place.sequence));
        self.link.publish(&self.names.dead(&place.channel, place.number), message).await?;
        self.pass(place).await?;
        // Before it is let go: what is left over would be taken for a later life's.
        self.clear(held).await?;
        self.acknowledge(place.sequence).await;
        Ok(())
    }
}
